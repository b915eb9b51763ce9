// Fields: the members of a JSON object, read one by one; what is not asked for
// is an error, so that no option is taken and left out of account.
//
//   Fields fields(call.body, "", violations);
//   const std::string name = fields.Required("domainName");
//   fields.Refuse("policy", "has no meaning here: there are no private
//   domains"); fields.Finish();
//
// A member that is null counts as absent.

#ifndef SALLYPORT_CONFIG_SERVICE_AWS_FIELDS_H_
#define SALLYPORT_CONFIG_SERVICE_AWS_FIELDS_H_

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "config_service/domain/violations.h"
#include "nlohmann/json.hpp"

namespace sallyport::aws {

using Json = nlohmann::json;

class Fields {
 public:
  // `object` and `violations` outlive it. `where` is the object's own path.
  // What is no object has no members, and is a violation.
  Fields(const Json& object, absl::string_view where,
         domain::Violations& violations);

  // Null: it is absent.
  const Json* Get(const std::string& name);
  bool Has(const std::string& name) { return Get(name) != nullptr; }

  // Values of another type are violations, and count as absent.
  std::optional<std::string> String(const std::string& name);
  // Absent or empty: a violation.
  std::string Required(const std::string& name);
  std::optional<int64_t> Integer(const std::string& name);
  // Also "true", "True", "false", "False".
  std::optional<bool> Bool(const std::string& name);
  std::vector<std::string> Strings(const std::string& name);
  // An object of strings.
  std::map<std::string, std::string> StringMap(const std::string& name);

  // A violation where it is there: it is not supported. `why` goes on a
  // sentence that begins with its name.
  void Refuse(const std::string& name, absl::string_view why);
  // The same unless it is there with that value, which is what happens anyway.
  void RefuseUnless(const std::string& name, absl::string_view value,
                    absl::string_view why);

  // A violation for each member that nobody asked for.
  void Finish();

  std::string Path(absl::string_view name) const;

 private:
  void AddMalformed(const std::string& name, absl::string_view wanted);

  const Json& object_;
  const std::string where_;
  domain::Violations& violations_;
  std::set<std::string> known_;
};

// ReadBool: "true" and "false", also with a capital, as tools of other
// languages write them.
std::optional<bool> ReadBool(absl::string_view text);

// RefuseQuery: a violation for each parameter of the query that is not among
// `known`.
void RefuseQuery(const std::vector<std::pair<std::string, std::string>>& query,
                 const std::vector<absl::string_view>& known,
                 domain::Violations& violations);

}  // namespace sallyport::aws

#endif  // SALLYPORT_CONFIG_SERVICE_AWS_FIELDS_H_
