#include "config_service/api/convert_fleet.h"

#include "config_service/api/convert.h"

namespace sallyport::api {

namespace proto = sallyport::config::v1;

domain::Fleet Convert(const proto::Fleet& from,
                      domain::Violations& violations) {
  domain::Fleet to;
  ConvertMetadata(from, to, violations);
  to.listen_address = from.listen_address();
  const size_t before = violations.size();
  domain::CheckPort("listen_port", from.listen_port(), violations);
  if (violations.size() == before && from.listen_port() != 0) {
    to.listen_port = static_cast<uint16_t>(from.listen_port());
  }
  to.default_endpoint_suffix = from.default_endpoint_suffix();
  if (!from.default_endpoint_certificate().empty()) {
    to.default_endpoint_certificate = ParseName<domain::ServerCertificateName>(
        "default_endpoint_certificate", from.default_endpoint_certificate(),
        violations);
  }
  return to;
}

void Convert(const domain::Fleet& from, proto::Fleet& to) {
  ConvertMetadata(from, to);
  to.set_listen_address(from.listen_address);
  to.set_listen_port(from.listen_port);
  to.set_default_endpoint_suffix(from.default_endpoint_suffix);
  to.set_default_endpoint_certificate(
      from.default_endpoint_certificate.ToString());
  for (const domain::Condition& condition : from.conditions) {
    Convert(condition, *to.add_conditions());
  }
}

void Convert(const domain::Refusal& from, proto::Refusal& to) {
  to.set_type(from.type);
  to.set_resource(from.resource);
  to.set_version(from.version);
  to.set_revision(from.revision);
  SetTime(from.time, [&] { return to.mutable_time(); });
  to.set_reason(from.reason);
  to.set_cause(from.cause);
}

}  // namespace sallyport::api
