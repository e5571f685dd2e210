# What every target of mlq has in common, said once.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

add_library(mlq_flags INTERFACE)
target_include_directories(mlq_flags INTERFACE ${CMAKE_SOURCE_DIR})
# Contraction to FMA changes bits from one machine to the next; results must not depend on the CPU.
target_compile_options(mlq_flags INTERFACE
  $<$<COMPILE_LANGUAGE:CXX>:-ffp-contract=off -Wall -Wextra -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual>)
# GCC 12 sees overlaps in std::string's operator+ that are not there (PR 105329).
if(CMAKE_CXX_COMPILER_ID STREQUAL GNU AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  target_compile_options(mlq_flags INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-Wno-restrict>)
endif()
if(MLQ_WERROR)
  target_compile_options(mlq_flags INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-Werror>)
endif()
if(MLQ_SANITIZE)
  target_compile_options(mlq_flags INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-fsanitize=${MLQ_SANITIZE} -fno-omit-frame-pointer>
                         $<$<COMPILE_LANGUAGE:CXX>:-fno-sanitize-recover=all>)
  target_link_options(mlq_flags INTERFACE -fsanitize=${MLQ_SANITIZE})
  # What GCC instruments it no longer follows: it takes the unused members of a variant for uninitialised ones. The plain
  # build has the warning.
  target_compile_options(mlq_flags INTERFACE $<$<COMPILE_LANG_AND_ID:CXX,GNU>:-Wno-maybe-uninitialized>)
endif()
if(MLQ_LIBFUZZER)
  target_compile_options(mlq_flags INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-fsanitize=fuzzer-no-link>)
  # Of each kernel the plainest of its vector forms: clang takes minutes over all of them, and parsers are what is hunted in.
  target_compile_definitions(mlq_flags INTERFACE HWY_COMPILE_ONLY_STATIC)
endif()

# mlq_library(NAME [FOLDER folder] [USES lib...] [PRIVATE lib...]): lib/NAME, or another folder, with its folders as the
# target mlq_NAME. A name without "::" in USES is a library of ours.
function(mlq_library name)
  cmake_parse_arguments(A "" "FOLDER" "USES;PRIVATE" ${ARGN})
  list(TRANSFORM A_USES REPLACE "^([a-z]+)$" "mlq_\\1")
  if(NOT A_FOLDER)
    set(A_FOLDER lib/${name})
  endif()
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/${A_FOLDER}/*.cpp)
  add_library(mlq_${name} STATIC ${sources})
  target_link_libraries(mlq_${name} PUBLIC mlq_flags ${A_USES} PRIVATE ${A_PRIVATE})
endfunction()

# mlq_program(NAME USES lib...): tools/NAME.cpp, or tools/NAME/*.cpp, a source a command; installed with its man page and completions.
function(mlq_program name)
  cmake_parse_arguments(A "" "" "USES" ${ARGN})
  list(TRANSFORM A_USES REPLACE "^([a-z]+)$" "mlq_\\1")
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tools/${name}.cpp ${CMAKE_SOURCE_DIR}/tools/${name}/*.cpp)
  add_executable(${name} ${sources})
  target_link_libraries(${name} PRIVATE ${A_USES})
  target_compile_definitions(${name} PRIVATE MLQ_VERSION="${PROJECT_VERSION}")
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
  set_property(GLOBAL APPEND PROPERTY MLQ_PROGRAMS ${name})
  install(TARGETS ${name} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
  install(FILES ${CMAKE_SOURCE_DIR}/man/${name}.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
  install(FILES ${CMAKE_SOURCE_DIR}/completions/${name}.bash
          DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions RENAME ${name})
  install(FILES ${CMAKE_SOURCE_DIR}/completions/_${name} DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/vendor-completions)
  install(FILES ${CMAKE_SOURCE_DIR}/completions/${name}.fish
          DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d)
endfunction()
