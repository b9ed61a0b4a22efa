# Tests of real processes, written in Python: one ctest test per method, named after the class and
# what the method claims. A method that skips itself is counted as skipped.
#
#   regent_python_tests(FILE LABEL label TIMEOUT seconds [PROCESSORS n] [FIXTURES name…])
#
# PROCESSORS: for what would be starved beside another test. FIXTURES: what must be set up first.

# Debian's own python3: kazoo, an independent ZooKeeper client, is a package of it.
set(REGENT_TEST_PYTHON /usr/bin/python3)
set(REGENT_TEST_SKIPPED 77)

function(regent_python_tests file)
  cmake_parse_arguments(ARG "" "LABEL;TIMEOUT;PROCESSORS" "FIXTURES" ${ARGN})
  if(NOT ARG_PROCESSORS)
    set(ARG_PROCESSORS 1)
  endif()
  file(STRINGS ${file} lines REGEX "^class [A-Za-z]+|^    def test_")
  foreach(line IN LISTS lines)
    if(line MATCHES "^class ([A-Za-z]+)")
      set(class ${CMAKE_MATCH_1})
    elseif(line MATCHES "def (test_[a-z0-9_]+)")
      set(method ${CMAKE_MATCH_1})
      string(REGEX REPLACE "^test_" "${class}." test ${method})
      add_test(NAME ${test}
        COMMAND ${REGENT_TEST_PYTHON} -B ${CMAKE_CURRENT_SOURCE_DIR}/${file} ${class}.${method})
      set_tests_properties(${test} PROPERTIES
        LABELS ${ARG_LABEL} TIMEOUT ${ARG_TIMEOUT} PROCESSORS ${ARG_PROCESSORS}
        SKIP_RETURN_CODE ${REGENT_TEST_SKIPPED}
        ENVIRONMENT "REGENT_BUILD_DIR=${CMAKE_BINARY_DIR}")
      if(ARG_FIXTURES)
        set_tests_properties(${test} PROPERTIES FIXTURES_REQUIRED "${ARG_FIXTURES}")
      endif()
    endif()
  endforeach()
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file})
endfunction()
