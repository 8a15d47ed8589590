# tidegate_room(NAME room [SOURCES a.cc ...] [TESTS a_test.cc ...] [DEPENDS other rooms ...] [LIBS libraries ...])
#
# One folder of src/ is one room: one library tidegate_<room>, one test program <room>_test, and nothing else. DEPENDS
# names the rooms whose headers it may include (tools/tidy holds the includes against the same map); LIBS names
# outside libraries, linked privately so that their headers do not spread.
function(tidegate_room)
  cmake_parse_arguments(ROOM "" "NAME" "SOURCES;TESTS;DEPENDS;LIBS" ${ARGN})
  set(target tidegate_${ROOM_NAME})
  if(ROOM_SOURCES)
    add_library(${target} STATIC ${ROOM_SOURCES})
    set(scope PUBLIC)
    target_link_libraries(${target} PRIVATE ${ROOM_LIBS})
  else()
    add_library(${target} INTERFACE)
    set(scope INTERFACE)
  endif()
  target_include_directories(${target} ${scope} ${PROJECT_SOURCE_DIR}/src)
  list(TRANSFORM ROOM_DEPENDS PREPEND tidegate_ OUTPUT_VARIABLE rooms)
  target_link_libraries(${target} ${scope} ${rooms} Threads::Threads)

  if(ROOM_TESTS AND NOT TIDEGATE_FUZZ)
    add_executable(${ROOM_NAME}_test ${ROOM_TESTS})
    target_link_libraries(${ROOM_NAME}_test PRIVATE ${target} ${ROOM_LIBS} GTest::gtest GTest::gtest_main)
    # What is tested is optimised; the tests themselves would spend two thirds of their compilation on that.
    target_compile_options(${ROOM_NAME}_test PRIVATE $<$<CONFIG:Release>:-O0>)
    add_test(NAME ${ROOM_NAME} COMMAND ${ROOM_NAME}_test WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
    set_tests_properties(${ROOM_NAME} PROPERTIES TIMEOUT 300 LABELS unit)
  endif()
endfunction()

# tidegate_fuzz(NAME target SOURCE x_fuzz.cc CORPUS folder DEPENDS rooms)
#
# With preset `fuzz` this is a libFuzzer program. In every other preset the same entry point is linked to a small main
# that replays the corpus, so that each input once found stays a plain test.
function(tidegate_fuzz)
  cmake_parse_arguments(FUZZ "" "NAME;SOURCE;CORPUS" "DEPENDS" ${ARGN})
  list(TRANSFORM FUZZ_DEPENDS PREPEND tidegate_ OUTPUT_VARIABLE rooms)
  add_executable(${FUZZ_NAME}_fuzz ${FUZZ_SOURCE})
  target_link_libraries(${FUZZ_NAME}_fuzz PRIVATE ${rooms})
  if(TIDEGATE_FUZZ)
    target_link_options(${FUZZ_NAME}_fuzz PRIVATE -fsanitize=fuzzer)
  else()
    target_sources(${FUZZ_NAME}_fuzz PRIVATE ${PROJECT_SOURCE_DIR}/fuzz/replay_main.cc)
    add_test(NAME fuzz_${FUZZ_NAME} COMMAND ${FUZZ_NAME}_fuzz ${CMAKE_CURRENT_SOURCE_DIR}/${FUZZ_CORPUS})
    set_tests_properties(fuzz_${FUZZ_NAME} PROPERTIES TIMEOUT 120 LABELS unit)
  endif()
endfunction()
