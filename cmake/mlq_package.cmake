# What `cmake --install` and `cpack` carry beside the programs.
install(FILES ${CMAKE_SOURCE_DIR}/man/mlq-records.5 DESTINATION ${CMAKE_INSTALL_MANDIR}/man5)
# lib/cli looks for share/mlq beside bin.
install(DIRECTORY ${CMAKE_SOURCE_DIR}/data/ DESTINATION share/mlq)
install(FILES ${CMAKE_SOURCE_DIR}/LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME mlq)
set(CPACK_PACKAGE_VENDOR "mlq")
set(CPACK_PACKAGE_CONTACT "mlq maintainers <maintainers@example.org>")
set(CPACK_DEBIAN_PACKAGE_SECTION science)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_STRIP_FILES ON)
# Packages of their own for the modules, so that only who starts ranks under MPI or runs ONNX models has to install what
# they need.
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_UNSPECIFIED_PACKAGE_NAME mlq)
set(CPACK_DEBIAN_UNSPECIFIED_PACKAGE_RECOMMENDS "xz-utils, gnuplot-nox | gnuplot")
set(CPACK_DEBIAN_MPI_PACKAGE_NAME mlq-mpi)
set(CPACK_DEBIAN_MPI_PACKAGE_DEPENDS mlq)
set(CPACK_DEBIAN_ONNX_PACKAGE_NAME mlq-onnx)
set(CPACK_DEBIAN_ONNX_PACKAGE_DEPENDS mlq)
include(CPack)
