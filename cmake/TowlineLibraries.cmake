# Libraries of the system that a program may have inside itself.
#
# A program links the shared ones, unless it sets the target property TOWLINE_STATIC: then it gets the
# archives. agentk does: it is one process in a small image, and most of what a shared library costs in resident
# memory is relocations and tables of parts that agentk never calls. kas must not: libgit2 and libpq bring the
# shared OpenSSL along, and two copies of it in one process do not agree.
#
#   system_library(NAME SHARED <target> ARCHIVE <file> [NEEDS other names])
function(system_library NAME)
  cmake_parse_arguments(E "" "SHARED;ARCHIVE" "NEEDS" ${ARGN})
  add_library(${NAME} INTERFACE)
  find_library(${NAME}_archive NAMES ${E_ARCHIVE})
  if(TOWLINE_SANITIZE OR TOWLINE_FUZZ OR NOT ${NAME}_archive)
    target_link_libraries(${NAME} INTERFACE ${E_SHARED})
    return()
  endif()
  add_library(${NAME}_static STATIC IMPORTED)
  set_target_properties(${NAME}_static PROPERTIES IMPORTED_LOCATION "${${NAME}_archive}")
  foreach(N ${E_NEEDS})
    set_property(TARGET ${NAME}_static APPEND PROPERTY INTERFACE_LINK_LIBRARIES ${N}_static)
  endforeach()
  target_link_libraries(${NAME} INTERFACE
    $<IF:$<BOOL:$<TARGET_PROPERTY:TOWLINE_STATIC>>,${NAME}_static,${E_SHARED}>)
endfunction()

system_library(system_crypto SHARED OpenSSL::Crypto ARCHIVE libcrypto.a)
system_library(system_ssl SHARED OpenSSL::SSL ARCHIVE libssl.a NEEDS system_crypto)
system_library(system_nghttp2 SHARED PkgConfig::NGHTTP2 ARCHIVE libnghttp2.a)
system_library(system_zlib SHARED ZLIB::ZLIB ARCHIVE libz.a)
system_library(system_protobuf SHARED protobuf::libprotobuf-lite ARCHIVE libprotobuf-lite.a)
