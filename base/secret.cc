#include "base/secret.h"

#include <string.h>  // explicit_bzero

#include <utility>

namespace sallyport {

void WipeString(std::string& text) {
  // A string that was moved from, or shortened, still has its bytes beyond its
  // end.
  text.resize(text.capacity());
  explicit_bzero(&text[0], text.size());
  text.clear();
}

Secret::Secret(std::string&& bytes) : bytes_(std::move(bytes)) {
  // A short string is copied by its move.
  WipeString(bytes);
}

Secret Secret::CopyOf(absl::string_view bytes) {
  Secret secret;
  secret.bytes_.assign(bytes.data(), bytes.size());
  return secret;
}

Secret::Secret(Secret&& other) noexcept : bytes_(std::move(other.bytes_)) {
  WipeString(other.bytes_);
}

Secret& Secret::operator=(Secret&& other) noexcept {
  if (this != &other) {
    WipeString(bytes_);
    bytes_ = std::move(other.bytes_);
    WipeString(other.bytes_);
  }
  return *this;
}

Secret::~Secret() { WipeString(bytes_); }

}  // namespace sallyport
