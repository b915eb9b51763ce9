#ifndef SALLYPORT_BASE_VERSION_H_
#define SALLYPORT_BASE_VERSION_H_

namespace sallyport {

// The version that the programs say they are. CHANGELOG.md has what is in it.
inline constexpr char kVersion[] = "0.1.0";

}  // namespace sallyport

#endif  // SALLYPORT_BASE_VERSION_H_
