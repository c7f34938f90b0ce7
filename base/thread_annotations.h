#pragma once

// Clang's thread-safety attributes (https://clang.llvm.org/docs/ThreadSafetyAnalysis.html), checked
// by the tsan and tidy presets; g++ ignores them.
#if defined(__clang__)
#define ESC_THREAD_ANNOTATION(x) __attribute__((x))
#else
#define ESC_THREAD_ANNOTATION(x)
#endif

// Abseil, which gRPC's headers bring along, has macros of three of these names and the same
// meaning.
#undef GUARDED_BY
#undef PT_GUARDED_BY
#undef NO_THREAD_SAFETY_ANALYSIS

#define CAPABILITY(x) ESC_THREAD_ANNOTATION(capability(x))
#define SCOPED_CAPABILITY ESC_THREAD_ANNOTATION(scoped_lockable)
#define GUARDED_BY(x) ESC_THREAD_ANNOTATION(guarded_by(x))
#define PT_GUARDED_BY(x) ESC_THREAD_ANNOTATION(pt_guarded_by(x))
#define REQUIRES(...) ESC_THREAD_ANNOTATION(requires_capability(__VA_ARGS__))
#define EXCLUDES(...) ESC_THREAD_ANNOTATION(locks_excluded(__VA_ARGS__))
#define ACQUIRE(...) ESC_THREAD_ANNOTATION(acquire_capability(__VA_ARGS__))
#define RELEASE(...) ESC_THREAD_ANNOTATION(release_capability(__VA_ARGS__))
#define NO_THREAD_SAFETY_ANALYSIS ESC_THREAD_ANNOTATION(no_thread_safety_analysis)
