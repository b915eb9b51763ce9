#include "config_service/aws/call.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "config_service/aws/limits.h"

namespace sallyport::aws {

Json TimeJson(absl::Time time) {
  // Whole seconds are written without a fraction.
  const int64_t seconds = absl::ToUnixSeconds(time);
  if (absl::FromUnixSeconds(seconds) == time) return seconds;
  constexpr double kMillisecondsOfSecond = 1000;
  return static_cast<double>(absl::ToUnixMillis(time)) / kMillisecondsOfSecond;
}

service::PageRequest PageOf(const Call& call,
                            const std::vector<absl::string_view>& known,
                            domain::Violations& violations) {
  service::PageRequest out;
  out.page_size = kDefaultLimit;
  std::vector<absl::string_view> all = known;
  all.insert(all.end(), {"limit", "position"});
  RefuseQuery(call.query, all, violations);
  for (const auto& [name, value] : call.query) {
    if (name == "position") out.page_token = value;
    if (name != "limit") continue;
    if (!absl::SimpleAtoi(value, &out.page_size) || out.page_size < 1 ||
        out.page_size > kMaxLimit) {
      violations.Add("limit", domain::Reason::kFieldOutOfRange,
                     absl::StrCat("is not 1 to ", kMaxLimit));
      out.page_size = kDefaultLimit;
    }
  }
  return out;
}

Json ListJson(Json items, const std::string& next_page_token) {
  Json out = {{"item", std::move(items)}};
  if (!next_page_token.empty()) out["position"] = next_page_token;
  return out;
}

Json TagsJson(const domain::Labels& labels) {
  Json out = Json::object();
  for (const auto& [key, value] : labels) out[key] = value;
  return out;
}

}  // namespace sallyport::aws
