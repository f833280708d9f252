# Stops the configure step where a test file lies in a folder that no test program covers.
#
#   rowhouse_refuse_unregistered_tests(ROOT folder...)
function(rowhouse_refuse_unregistered_tests root)
  file(GLOB_RECURSE tests CONFIGURE_DEPENDS RELATIVE ${root} ${root}/*_test.cc ${root}/*_test.py)
  foreach(test ${tests})
    string(REGEX REPLACE "/.*" "" folder "${test}")
    if(NOT folder IN_LIST ARGN)
      message(FATAL_ERROR "${root}/${test} would never run: '${folder}' is not one of the "
                          "registered test folders (${ARGN}) of tests/CMakeLists.txt")
    endif()
  endforeach()
endfunction()
