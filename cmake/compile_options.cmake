# sluice::options carries what every target is compiled and linked with.
add_library(sluice_options INTERFACE)
add_library(sluice::options ALIAS sluice_options)

target_compile_options(sluice_options INTERFACE
  -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror
  -fstack-protector-strong -fno-omit-frame-pointer)
# -Wpedantic rejects nothing that we use; GCC 12 reports false positives on inlined std code at -O2.
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  target_compile_options(sluice_options INTERFACE
    -Wno-maybe-uninitialized -Wno-stringop-overflow -Wno-array-bounds -Wno-restrict)
  target_link_options(sluice_options INTERFACE -Wno-stringop-overflow)  # it optimises as well
endif()
if(CMAKE_UNITY_BUILD AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # Each file that is included is a file's own all the same.
  target_compile_options(sluice_options INTERFACE -Wno-subobject-linkage)
endif()
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64")
  target_compile_options(sluice_options INTERFACE -fcf-protection=full)
endif()
target_link_options(sluice_options INTERFACE -Wl,-z,relro,-z,now)

if(SLUICE_SANITIZE)
  target_compile_definitions(sluice_options INTERFACE SLUICE_SANITIZED)
  target_compile_options(sluice_options INTERFACE
    -fsanitize=${SLUICE_SANITIZE} -fno-sanitize-recover=all)
  if(SLUICE_SANITIZE MATCHES "undefined" AND CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
    # Boost.System's categories are constant objects, whose vptr clang's check takes for invalid.
    target_compile_options(sluice_options INTERFACE -fno-sanitize=vptr)
  endif()
  target_link_options(sluice_options INTERFACE -fsanitize=${SLUICE_SANITIZE})
elseif(CMAKE_BUILD_TYPE STREQUAL "Release")
  target_compile_definitions(sluice_options INTERFACE _FORTIFY_SOURCE=3)
endif()
if(CMAKE_BUILD_TYPE STREQUAL "Debug")
  target_compile_definitions(sluice_options INTERFACE _GLIBCXX_ASSERTIONS)
endif()

if(CMAKE_BUILD_TYPE STREQUAL "Release")
  include(CheckIPOSupported)
  check_ipo_supported()
  set(CMAKE_INTERPROCEDURAL_OPTIMIZATION ON)
  set(CMAKE_CXX_FLAGS_RELEASE "-O3")  # assertions stay on in release: no NDEBUG
endif()

# What a run of the programs counts is what the compiler then optimises by; scripts/build.sh --optimised
# does both. The names of the profile's files do not say in which folder it was built.
set(profile_options -fprofile-prefix-path=${CMAKE_BINARY_DIR})
if(SLUICE_PROFILE STREQUAL "generate")
  list(APPEND profile_options -fprofile-generate=${CMAKE_SOURCE_DIR}/build/profile -fprofile-update=atomic)
elseif(SLUICE_PROFILE STREQUAL "use")
  # What the run did not reach is optimised as without a profile, and not for size.
  list(APPEND profile_options -fprofile-use=${CMAKE_SOURCE_DIR}/build/profile -fprofile-partial-training
    -Wno-missing-profile)
endif()
if(SLUICE_PROFILE)
  target_compile_options(sluice_options INTERFACE ${profile_options})
  target_link_options(sluice_options INTERFACE ${profile_options})
endif()

# Asio and Beast are compiled once, in sluice::net; everyone else sees declarations.
add_library(sluice_asio INTERFACE)
add_library(sluice::asio ALIAS sluice_asio)
target_link_libraries(sluice_asio INTERFACE Boost::headers OpenSSL::SSL OpenSSL::Crypto Threads::Threads)
target_compile_definitions(sluice_asio INTERFACE
  BOOST_ASIO_SEPARATE_COMPILATION BOOST_BEAST_SEPARATE_COMPILATION BOOST_ASIO_NO_DEPRECATED
  BOOST_ASIO_DISABLE_BOOST_ARRAY BOOST_ASIO_DISABLE_BOOST_BIND BOOST_ASIO_DISABLE_BOOST_REGEX)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # GCC 12 sees a coroutine frame's operator new inlined and its operator delete not, and takes them for
  # no pair.
  target_compile_options(sluice_asio INTERFACE -Wno-mismatched-new-delete)
endif()
if(SLUICE_SANITIZE MATCHES "thread")
  # ThreadSanitizer does not see through the fences of Asio's default handler tracking of memory reuse.
  target_compile_definitions(sluice_asio INTERFACE BOOST_ASIO_DISABLE_SMALL_BLOCK_RECYCLING)
endif()
