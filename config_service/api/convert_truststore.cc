#include "config_service/api/convert_truststore.h"

#include "absl/strings/str_cat.h"
#include "base/text.h"
#include "config_service/api/convert.h"
#include "config_service/filter_messages/from_filter.h"
#include "config_service/filter_messages/to_filter.h"

namespace sallyport::api {

namespace proto = sallyport::config::v1;
using domain::Reason;

namespace {

// "truststores/ID/versions/N" or nothing; 0 is nothing.
std::string VersionText(const domain::TruststoreName& name, int64_t number) {
  return domain::TruststoreVersionName(name, number).ToString();
}

}  // namespace

domain::Truststore Convert(const proto::Truststore& from,
                           domain::Violations& violations) {
  domain::Truststore to;
  ConvertMetadata(from, to, violations);
  to.source.uri = from.source().uri();
  to.source.object_version = from.source().object_version();
  switch (from.source().watch()) {
    case proto::TruststoreSource::WATCH_UNSPECIFIED:
    case proto::TruststoreSource::OFF:
      to.source.watch = domain::TruststoreSource::Watch::kOff;
      break;
    case proto::TruststoreSource::CANDIDATE_ONLY:
      to.source.watch = domain::TruststoreSource::Watch::kCandidateOnly;
      break;
    case proto::TruststoreSource::ACTIVATE:
      to.source.watch = domain::TruststoreSource::Watch::kActivate;
      break;
    default:
      violations.Add("source.watch", Reason::kFieldMalformed,
                     "is no value of it that is known");
  }
  if (from.source().has_poll_interval()) {
    to.source.poll_interval = Convert(from.source().poll_interval());
  }
  if (!from.shadow_version().empty()) {
    const auto shadow = ParseName<domain::TruststoreVersionName>(
        "shadow_version", from.shadow_version(), violations);
    if (!shadow.empty() && !to.name.empty() && shadow.parent() != to.name) {
      violations.Add("shadow_version", Reason::kFieldsConflict,
                     "is a version of another truststore");
    }
    to.shadow_version = shadow.number();
  }
  to.chain_policy = filter_messages::FromFilter(
      "chain_policy", from.chain_policy(), violations);
  to.extended_key_usage =
      filter_messages::FromFilter("extended_key_usage",
                                  from.extended_key_usage(), violations)
          .value_or(to.extended_key_usage);
  to.pin_leaf = from.pin_leaf();
  for (int i = 0; i < from.revocation_lists_size(); ++i) {
    to.revocation_lists.push_back(ParseName<domain::RevocationListName>(
        domain::Element("revocation_lists", static_cast<size_t>(i)),
        from.revocation_lists(i), violations));
  }
  to.revocation_rule = filter_messages::FromFilter(
      "revocation_rule", from.revocation_rule(), violations);
  to.revocation_scope = filter_messages::FromFilter(
      "revocation_scope", from.revocation_scope(), violations);
  to.max_bytes = from.limits().max_bytes();
  to.max_certificates = from.limits().max_certificates();
  return to;
}

void Convert(const domain::Truststore& from, proto::Truststore& to) {
  ConvertMetadata(from, to);
  if (!from.source.empty()) {
    proto::TruststoreSource& source = *to.mutable_source();
    source.set_uri(from.source.uri);
    source.set_object_version(from.source.object_version);
    switch (from.source.watch) {
      case domain::TruststoreSource::Watch::kOff:
        source.set_watch(proto::TruststoreSource::OFF);
        break;
      case domain::TruststoreSource::Watch::kCandidateOnly:
        source.set_watch(proto::TruststoreSource::CANDIDATE_ONLY);
        break;
      case domain::TruststoreSource::Watch::kActivate:
        source.set_watch(proto::TruststoreSource::ACTIVATE);
        break;
    }
    Convert(from.source.poll_interval, *source.mutable_poll_interval());
  }
  to.set_active_version(VersionText(from.name, from.active_version));
  to.set_previous_version(VersionText(from.name, from.previous_version));
  to.set_shadow_version(VersionText(from.name, from.shadow_version));
  to.set_chain_policy(filter_messages::ToFilter(from.chain_policy));
  to.set_extended_key_usage(filter_messages::ToFilter(from.extended_key_usage));
  to.set_pin_leaf(from.pin_leaf);
  for (const domain::RevocationListName& list : from.revocation_lists) {
    to.add_revocation_lists(list.ToString());
  }
  to.set_revocation_rule(filter_messages::ToFilter(from.revocation_rule));
  to.set_revocation_scope(filter_messages::ToFilter(from.revocation_scope));
  if (from.max_bytes != 0 || from.max_certificates != 0) {
    to.mutable_limits()->set_max_bytes(from.max_bytes);
    to.mutable_limits()->set_max_certificates(from.max_certificates);
  }
  for (const domain::Condition& condition : from.conditions) {
    Convert(condition, *to.add_conditions());
  }
}

void Convert(const service::TruststoreView& from, proto::Truststore& to) {
  Convert(from.truststore, to);
  for (const domain::Warning& warning : from.warnings) {
    Convert(warning, *to.add_warnings());
  }
  to.set_warning_count(static_cast<int>(from.num_warnings));
}

void Convert(const domain::TruststoreVersion& from,
             proto::TruststoreVersion& to) {
  to.set_name(from.name.ToString());
  to.set_etag(from.etag.text());
  to.set_revision(from.revision);
  SetTime(from.create_time, [&] { return to.mutable_create_time(); });
  to.set_description(from.description);
  to.set_source_uri(from.source_uri);
  to.set_source_object_version(from.source_object_version);
  to.set_source_etag(from.source_etag);
  to.set_sha256(HexLower(pki::AsBytes(from.sha256)));
  to.set_size_bytes(static_cast<int64_t>(from.size_bytes));
  to.set_certificate_count(static_cast<int>(from.certificate_count));
}

void Convert(const service::TruststoreVersionView& from,
             proto::TruststoreVersion& to) {
  Convert(from.version, to);
  switch (from.state) {
    case domain::TruststoreVersion::State::kCandidate:
      to.set_state(proto::TruststoreVersion::CANDIDATE);
      break;
    case domain::TruststoreVersion::State::kActive:
      to.set_state(proto::TruststoreVersion::ACTIVE);
      break;
    case domain::TruststoreVersion::State::kSuperseded:
      to.set_state(proto::TruststoreVersion::SUPERSEDED);
      break;
  }
  to.set_gives_trust(from.gives_trust);
  for (const domain::Warning& warning : from.warnings) {
    Convert(warning, *to.add_warnings());
  }
  to.set_warning_count(static_cast<int>(from.num_warnings));
  SetTime(from.first_expiry, [&] { return to.mutable_first_expiry(); });
}

void Convert(const service::TruststoreCertificate& from,
             proto::ListTruststoreCertificatesResponse::Entry& to) {
  to.set_index(static_cast<int>(from.index));
  to.set_line(static_cast<int>(from.line));
  Convert(*from.certificate, *to.mutable_certificate());
  for (const domain::Warning& warning : from.warnings) {
    Convert(warning, *to.add_warnings());
  }
}

}  // namespace sallyport::api
