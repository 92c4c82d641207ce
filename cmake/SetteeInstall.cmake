# Copyright The Settee Authors
# SPDX-License-Identifier: Apache-2.0
#
# Install rules: libraries, headers, the CMake package `settee` with one target per component, one
# pkg-config file per component, and the Debian packages (see packaging/).

if(NOT SETTEE_INSTALL)
  return()
endif()

include(CMakePackageConfigHelpers)

set(settee_package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/settee")
set(settee_config_table "")
get_property(settee_components GLOBAL PROPERTY SETTEE_COMPONENTS)

foreach(component IN LISTS settee_components)
  get_property(depends GLOBAL PROPERTY SETTEE_${component}_DEPENDS)
  get_property(private_libs GLOBAL PROPERTY SETTEE_${component}_PRIVATE_LIBS)
  get_property(headers GLOBAL PROPERTY SETTEE_${component}_HEADERS)

  install(TARGETS settee_${component}
    EXPORT settee_${component}
    LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}"
      COMPONENT libsettee NAMELINK_COMPONENT libsettee-dev
    ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}" COMPONENT libsettee-dev)
  install(EXPORT settee_${component}
    FILE settee-${component}-targets.cmake
    NAMESPACE settee::
    DESTINATION "${settee_package_dir}"
    COMPONENT libsettee-dev)
  foreach(header IN LISTS headers)
    get_filename_component(folder "${header}" DIRECTORY)
    install(FILES "${PROJECT_SOURCE_DIR}/settee/${component}/${header}"
      DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}/settee/${component}/${folder}"
      COMPONENT libsettee-dev)
  endforeach()

  # What a static consumer must link besides, in the words of find_package and of pkg-config.
  set(packages "")
  set(modules "")
  set(plain_libraries "")
  if(NOT BUILD_SHARED_LIBS)
    foreach(library IN LISTS private_libs)
      settee_third_party_entry("${library}" package module)
      list(APPEND packages "${package}")
      if(module)
        list(APPEND modules "${module}")
      endif()
      if(NOT package AND NOT module)
        string(APPEND plain_libraries " -l${library}")
      endif()
    endforeach()
    list(REMOVE_DUPLICATES packages)
    list(REMOVE_DUPLICATES modules)
  endif()
  string(APPEND settee_config_table
    "set(_settee_${component}_depends ${depends})\n"
    "set(_settee_${component}_packages ${packages})\n")
  string(REPLACE ";" " " settee_config_table "${settee_config_table}")

  set(requires "")
  foreach(dependency IN LISTS depends)
    list(APPEND requires "settee-${dependency} = ${PROJECT_VERSION}")
  endforeach()
  list(APPEND requires ${modules})
  list(JOIN requires ", " settee_pc_requires)
  set(settee_pc_name "${component}")
  set(settee_pc_cflags "")
  set(settee_pc_libs "")
  if(NOT BUILD_SHARED_LIBS)
    set(settee_pc_cflags " -DSETTEE_STATIC")
    set(settee_pc_libs "${plain_libraries} -pthread -ldl")
  endif()
  file(RELATIVE_PATH settee_pc_prefix
    "/prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "/prefix")
  string(REGEX REPLACE "/$" "" settee_pc_prefix "${settee_pc_prefix}")
  configure_file("${PROJECT_SOURCE_DIR}/cmake/settee.pc.in"
    "${PROJECT_BINARY_DIR}/pkgconfig/settee-${component}.pc" @ONLY)
  install(FILES "${PROJECT_BINARY_DIR}/pkgconfig/settee-${component}.pc"
    DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig"
    COMPONENT libsettee-dev)
endforeach()

list(JOIN settee_components " " settee_component_names)
configure_package_config_file("${PROJECT_SOURCE_DIR}/cmake/settee-config.cmake.in"
  "${PROJECT_BINARY_DIR}/cmake/settee-config.cmake"
  INSTALL_DESTINATION "${settee_package_dir}"
  NO_CHECK_REQUIRED_COMPONENTS_MACRO)
# Before 1.0 any minor version may change the API.
write_basic_package_version_file("${PROJECT_BINARY_DIR}/cmake/settee-config-version.cmake"
  COMPATIBILITY SameMinorVersion)
install(FILES
  "${PROJECT_BINARY_DIR}/cmake/settee-config.cmake"
  "${PROJECT_BINARY_DIR}/cmake/settee-config-version.cmake"
  DESTINATION "${settee_package_dir}"
  COMPONENT libsettee-dev)

include("${PROJECT_SOURCE_DIR}/packaging/debian.cmake")
