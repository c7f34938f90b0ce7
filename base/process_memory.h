#pragma once

namespace escagent {

// Keeps glibc's malloc from giving every thread an arena of its own: with a dozen threads that
// mostly sleep, arenas would cost more memory than they save time. Call first in main.
void LimitMallocArenas();

// Gives back what only the start-up needed: unused heap (malloc_trim), and the pages of program and
// libraries, most of which are touched once, by the dynamic linker and by initialisers. Pages that
// are needed again come back from the page cache by a minor fault. Call when the start is over.
void TrimProcessMemory();

}  // namespace escagent
