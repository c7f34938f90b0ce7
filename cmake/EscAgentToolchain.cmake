# Flags for our own code live in escagent_warnings, which each of our targets links PRIVATE;
# what must hold for the whole program (sanitizers, the linker, hardening) is set here.

find_program(ESC_AGENT_CCACHE ccache)
if(ESC_AGENT_CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${ESC_AGENT_CCACHE})
  set(CMAKE_C_COMPILER_LAUNCHER ${ESC_AGENT_CCACHE})
endif()

find_program(ESC_AGENT_MOLD mold)
if(ESC_AGENT_MOLD)
  add_link_options(-fuse-ld=mold)
endif()

if(ESC_AGENT_SANITIZE)
  add_compile_options(-fsanitize=${ESC_AGENT_SANITIZE} -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${ESC_AGENT_SANITIZE})
endif()

if(CMAKE_BUILD_TYPE STREQUAL "RelWithDebInfo" AND NOT ESC_AGENT_SANITIZE)
  add_compile_options(-fstack-protector-strong -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3
                      $<$<STREQUAL:${CMAKE_SYSTEM_PROCESSOR},x86_64>:-fcf-protection>)
  add_link_options(-pie -Wl,-z,relro -Wl,-z,now)
endif()

add_library(escagent_warnings INTERFACE)
add_library(escagent::warnings ALIAS escagent_warnings)
target_compile_options(escagent_warnings INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wold-style-cast
  -Wnon-virtual-dtor -Woverloaded-virtual -Wcast-qual -Wformat=2 -Werror
  # g++ 12 takes the inactive alternative of a std::variant or std::expected for uninitialised.
  $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>
  $<$<CXX_COMPILER_ID:Clang>:-Wthread-safety -Wno-c++2b-extensions>)
