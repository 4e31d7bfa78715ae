# `cpack` in build/optimised, after scripts/build.sh --optimised, makes sluice_VERSION_ARCH.deb. Needs dpkg-dev, which
# finds the libraries that it depends on.
if(CMAKE_INSTALL_PREFIX_INITIALIZED_TO_DEFAULT)
  set(CMAKE_INSTALL_PREFIX /usr CACHE PATH "Where the programs are installed" FORCE)
endif()
include(GNUInstallDirs)

# Installing builds nothing: the package has two programs, `all` has every test.
set(CMAKE_SKIP_INSTALL_ALL_DEPENDENCY ON)
install(TARGETS sluice synerise-sim RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(FILES config/sluice.example.yaml DESTINATION /etc/sluice RENAME sluice.yaml)
install(DIRECTORY DESTINATION /etc/sluice/secrets DIRECTORY_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE)
install(FILES deploy/systemd/sluice.service DESTINATION /lib/systemd/system)
install(FILES config/sluice.schema.json DESTINATION ${CMAKE_INSTALL_DATADIR}/sluice)

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME sluice)
set(CPACK_PACKAGE_VENDOR Sluice)
set(CPACK_PACKAGE_CONTACT "Sluice <root@localhost>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "Event-ingestion gateway for Synerise")
set(CPACK_SET_DESTDIR ON)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION net)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_DEPENDS "ca-certificates, tzdata")
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA
  ${CMAKE_SOURCE_DIR}/deploy/deb/conffiles ${CMAKE_SOURCE_DIR}/deploy/deb/postinst)
include(CPack)
