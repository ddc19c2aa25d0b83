# cmake --install build --prefix /usr/lib/tru: the program with ggml's modules beside it, where it
# looks for them, and its data in share/tru. The page's files are not built by CMake:
# tools/build_web puts them into build/share/tru/web.
set_target_properties(tru PROPERTIES INSTALL_RPATH "$ORIGIN")
install(TARGETS tru RUNTIME DESTINATION bin)
install(DIRECTORY "${CMAKE_BINARY_DIR}/bin/" DESTINATION bin USE_SOURCE_PERMISSIONS
        FILES_MATCHING PATTERN "libggml*.so*")
install(DIRECTORY models/demo/ DESTINATION share/tru/demo)
install(DIRECTORY "${CMAKE_BINARY_DIR}/share/tru/web" DESTINATION share/tru OPTIONAL)
install(FILES LICENSE DESTINATION share/tru)
