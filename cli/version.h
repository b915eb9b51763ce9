#ifndef SALLYPORT_CLI_VERSION_H_
#define SALLYPORT_CLI_VERSION_H_

namespace sallyport::cli {

// The version that sallyportctl says it is. CHANGELOG.md has what is in it.
inline constexpr char kVersion[] = "0.1.0";

}  // namespace sallyport::cli

#endif  // SALLYPORT_CLI_VERSION_H_
