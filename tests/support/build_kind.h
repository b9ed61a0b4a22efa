#pragma once

// What a test can ask of the build that it is in.

namespace regent {

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define REGENT_SANITIZED 1
#endif
#endif

#if defined(REGENT_SANITIZED) || defined(__SANITIZE_ADDRESS__) || !defined(__OPTIMIZE__)
/// The same work takes many times as long as in a release build.
inline constexpr bool kSlowBuild = true;
#else
inline constexpr bool kSlowBuild = false;
#endif

#undef REGENT_SANITIZED

}  // namespace regent
