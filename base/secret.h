// Secret: bytes that must not be printed: private keys above all.

#ifndef SALLYPORT_BASE_SECRET_H_
#define SALLYPORT_BASE_SECRET_H_

#include <ostream>
#include <string>

#include "absl/strings/string_view.h"

namespace sallyport {

// Secret: owns bytes, overwrites them before their memory is given back, and
// prints as "[secret]". It cannot be compared or concatenated by accident: the
// bytes are had by Reveal() alone, which is easy to search for.
//
// Move-only, so that copies are deliberate (Clone()). Thread-compatible.
class Secret {
 public:
  Secret() = default;
  // Takes the bytes over; `bytes` is overwritten and empty afterwards. What its
  // maker left elsewhere in memory is beyond this class.
  explicit Secret(std::string&& bytes);
  // A copy of `bytes`.
  static Secret CopyOf(absl::string_view bytes);

  Secret(Secret&& other) noexcept;
  Secret& operator=(Secret&& other) noexcept;
  Secret(const Secret&) = delete;
  Secret& operator=(const Secret&) = delete;
  ~Secret();

  Secret Clone() const { return CopyOf(Reveal()); }

  // The bytes; valid until this object is moved from or destroyed. Not for
  // logs, errors, metrics or answers.
  absl::string_view Reveal() const { return bytes_; }
  bool empty() const { return bytes_.empty(); }

  friend std::ostream& operator<<(std::ostream& out, const Secret&) {
    return out << "[secret]";
  }

 private:
  std::string bytes_;
};

// WipeString: overwrites the bytes of `text` in a way that the compiler keeps,
// and empties it.
void WipeString(std::string& text);

}  // namespace sallyport

#endif  // SALLYPORT_BASE_SECRET_H_
