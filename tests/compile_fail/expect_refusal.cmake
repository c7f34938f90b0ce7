# Compiles SOURCE without MISUSE, which must work, and with it, which must fail with a message that
# matches the source's line "// refused by COMPILER_ID: PATTERN".
file(STRINGS ${SOURCE} pattern REGEX "^// refused by ${COMPILER_ID}: " LIMIT_COUNT 1)
string(REGEX REPLACE "^// refused by ${COMPILER_ID}: " "" pattern "${pattern}")
if(pattern STREQUAL "")
  message(FATAL_ERROR "${SOURCE} has no line \"// refused by ${COMPILER_ID}: PATTERN\"")
endif()

list(TRANSFORM INCLUDES PREPEND -I)
set(command ${COMPILER} -std=c++23 -fsyntax-only -Wall -Wextra -Werror
            -DSPDLOG_FMT_EXTERNAL -DSPDLOG_COMPILED_LIB ${INCLUDES} ${SOURCE})

execute_process(COMMAND ${command} RESULT_VARIABLE failed ERROR_VARIABLE output)
if(failed)
  message(FATAL_ERROR "the control does not compile, so the misuse proves nothing:\n${output}")
endif()

execute_process(COMMAND ${command} -DMISUSE RESULT_VARIABLE failed ERROR_VARIABLE output)
if(NOT failed)
  message(FATAL_ERROR "the misuse compiles; the compiler must refuse it")
endif()
if(NOT output MATCHES "${pattern}")
  message(FATAL_ERROR "the misuse was refused for another reason than \"${pattern}\":\n${output}")
endif()
