# escagent_library(<name> SOURCES ... [PUBLIC libs...] [PRIVATE libs...])
#   One static library per folder: target escagent_<name>, alias escagent::<name>. Includes are
#   relative to the root of the project ("base/result.h").
function(escagent_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;PUBLIC;PRIVATE" ${ARGN})
  add_library(escagent_${name} STATIC ${ARG_SOURCES})
  add_library(escagent::${name} ALIAS escagent_${name})
  target_include_directories(escagent_${name} PUBLIC ${CMAKE_SOURCE_DIR})
  target_link_libraries(escagent_${name} PUBLIC ${ARG_PUBLIC} PRIVATE ${ARG_PRIVATE} escagent::warnings)
endfunction()

# escagent_program(<name> SOURCES ... LIBS ...): a program in build/<preset>/bin/.
function(escagent_program name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LIBS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_include_directories(${name} PRIVATE ${CMAKE_SOURCE_DIR})
  target_link_libraries(${name} PRIVATE ${ARG_LIBS} escagent::warnings)
endfunction()

# escagent_test(<name> LABELS ... SOURCES ... LIBS ... [TIMEOUT seconds])
#   A GoogleTest program. Its cases are registered with CTest one by one when the label is unit;
#   otherwise the whole program is one CTest entry, as its fixture (mounts, servers) is dear.
#   Exit code 77 is a visible skip. The label `sanitize` puts it among those that CI also runs under
#   the sanitizers (./dev sanitize); with `no-tsan` only under ASan and UBSan: ThreadSanitizer cannot
#   see the synchronisation inside Debian's gRPC, which is not built with it.
function(escagent_test name)
  cmake_parse_arguments(ARG "" "TIMEOUT" "LABELS;SOURCES;LIBS" ${ARGN})
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 60)
  endif()
  escagent_program(${name} SOURCES ${ARG_SOURCES} LIBS ${ARG_LIBS} GTest::gmock GTest::gtest_main)
  if("no-tsan" IN_LIST ARG_LABELS AND ESC_AGENT_SANITIZE STREQUAL "thread")
    list(REMOVE_ITEM ARG_LABELS sanitize)
  endif()
  if("sanitize" IN_LIST ARG_LABELS)
    add_dependencies(sanitized_tests ${name})
  endif()
  if("unit" IN_LIST ARG_LABELS)
    # One label: gtest_discover_tests cannot pass a list on. ctest -L takes parts of labels.
    string(REPLACE ";" "." labels "${ARG_LABELS}")
    gtest_discover_tests(${name} PROPERTIES LABELS "${labels}" TIMEOUT ${ARG_TIMEOUT}
                         SKIP_RETURN_CODE 77 DISCOVERY_TIMEOUT 60)
  else()
    add_test(NAME ${name} COMMAND ${name})
    # They are made of threads and processes enough to fill a machine.
    set_tests_properties(${name} PROPERTIES LABELS "${ARG_LABELS}" TIMEOUT ${ARG_TIMEOUT}
                         SKIP_RETURN_CODE 77 RUN_SERIAL TRUE)
  endif()
endfunction()
