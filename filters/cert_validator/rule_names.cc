#include "filters/cert_validator/rule_names.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/text.h"
#include "filters/shim/log.h"

namespace sallyport::cert_validator {

void RuleNames::Add(const filter::v1::ClientRule& rule) {
  for (const auto* rules : {&rule.all(), &rule.any(), &rule.none()}) {
    for (const filter::v1::ClientRule& part : rules->rules()) Add(part);
  }
  truststores_.insert(rule.truststore().names().begin(),
                      rule.truststore().names().end());
  lists_ = lists_ || rule.has_certificate_list();
}

void RuleNames::WarnOfMissing(const DomainTrust& domain) const {
  if (truststores_.empty() && !lists_) return;
  const uint64_t changes = domain.changes();
  if (looked_at_.exchange(changes) == changes) return;
  std::set<std::string> missing = truststores_;
  std::set<std::string> present;
  bool has_lists = false;
  for (const auto& state : domain.CurrentOfAll()) {
    has_lists = has_lists || state->lists() != nullptr;
    for (const TrustSource& source : state->active().sources) {
      missing.erase(source.name);
      present.insert(source.name);
    }
  }
  std::string text;
  if (!missing.empty()) {
    absl::StrAppend(&text,
                    "; they name truststores that the domain does not have: ",
                    Printable(absl::StrJoin(missing, ", "), 512), " (it has ",
                    Printable(absl::StrJoin(present, ", "), 512), ")");
  }
  if (lists_ && !has_lists) {
    absl::StrAppend(
        &text,
        "; they have certificate_list, but the domain has no lists, "
        "which only come with a trust from the registry");
  }
  absl::MutexLock lock(&mu_);
  if (told_ == text) return;
  told_ = text;
  if (text.empty()) return;
  shim::Log(shim::LogLevel::kWarning,
            absl::StrCat("client rules of ", domain.domain(),
                         " keep trusted clients out", text));
}

}  // namespace sallyport::cert_validator
