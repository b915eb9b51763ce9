#include "config_service/api/convert_fleet.h"

#include <algorithm>
#include <string>

#include "absl/time/clock.h"
#include "absl/types/variant.h"
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
  switch (from.access_log().output()) {
    case proto::AccessLog::OFF:
      to.access_log.output = domain::AccessLog::Output::kOff;
      break;
    case proto::AccessLog::OUTPUT_UNSPECIFIED:
    case proto::AccessLog::STDOUT:
      break;
    default:
      violations.Add("access_log.output", domain::Reason::kFieldMalformed,
                     "is no value of it that is known");
  }
  const int64_t status = from.access_log().min_status();
  const size_t known = violations.size();
  domain::CheckMinStatus("access_log.min_status", status, violations);
  if (violations.size() == known) {
    to.access_log.min_status = static_cast<uint32_t>(status);
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
  proto::AccessLog& log = *to.mutable_access_log();
  log.set_output(from.access_log.output == domain::AccessLog::Output::kOff
                     ? proto::AccessLog::OFF
                     : proto::AccessLog::STDOUT);
  log.set_min_status(static_cast<int>(from.access_log.min_status));
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

void Convert(const service::FleetView& from, proto::Fleet& to) {
  Convert(from.fleet, to);
  to.set_node_count(static_cast<int>(from.num_nodes));
  to.set_connected_node_count(static_cast<int>(from.num_connected_nodes));
}

void Convert(const service::NodeView& from, proto::Node& to) {
  const domain::Node& node = from.node;
  to.set_name(node.name.ToString());
  to.set_connected(node.connected);
  SetTime(node.connect_time, [&] { return to.mutable_connect_time(); });
  SetTime(node.last_seen_time, [&] { return to.mutable_last_seen_time(); });
  to.set_address(node.address);
  to.set_software_version(node.software_version);
  to.set_acknowledged_revision(node.acknowledged_revision);
  if (node.behind_since != absl::InfiniteFuture()) {
    Convert(std::max(absl::ZeroDuration(), absl::Now() - node.behind_since),
            *to.mutable_lag());
  }
  for (const domain::Refusal& refusal : node.refusals) {
    Convert(refusal, *to.add_refusals());
  }
  to.set_refusal_count(static_cast<int>(from.num_refusals));
  for (const service::NodeView::Type& type : from.types) {
    proto::Node::TypeState& out = *to.add_types();
    out.set_type(type.type);
    out.set_subscribed_count(static_cast<int>(type.num_subscribed));
    out.set_acknowledged_count(static_cast<int>(type.num_acknowledged));
    out.set_refused_count(static_cast<int>(type.num_refused));
    SetTime(type.last_acknowledged,
            [&] { return out.mutable_last_acknowledge_time(); });
  }
}

void Convert(const service::NodeCertificates::Answer& from,
             proto::IssueNodeCertificateResponse& to) {
  to.set_certificate_chain_pem(from.chain_pem);
  to.set_ca_pem(from.ca_pem);
  Convert(*from.certificate, *to.mutable_certificate());
}

void Convert(const service::RolloutView& from, proto::Rollout& to) {
  to.set_revision(from.revision);
  to.set_complete(from.complete);
  to.set_connected_node_count(static_cast<int>(from.num_connected));
  to.set_acknowledged_node_count(static_cast<int>(from.num_acknowledged));
  to.set_refusing_node_count(static_cast<int>(from.num_refusing));
  for (const domain::NodeName& node : from.pending) {
    to.add_pending_nodes(node.ToString());
  }
  for (const service::RolloutView::NodeRefusal& refusal : from.refusals) {
    proto::Rollout::NodeRefusal& out = *to.add_refusals();
    out.set_node(refusal.node.ToString());
    Convert(refusal.refusal, *out.mutable_refusal());
  }
}

namespace {

void ConvertWhat(const service::ResourceChanged& from, proto::Event& to) {
  proto::Event::ResourceChanged& out = *to.mutable_resource_changed();
  out.set_resource(from.resource);
  out.set_principal(from.principal);
  switch (from.kind) {
    case service::ResourceChanged::Kind::kCreated:
      out.set_kind(proto::Event::ResourceChanged::CREATED);
      break;
    case service::ResourceChanged::Kind::kUpdated:
      out.set_kind(proto::Event::ResourceChanged::UPDATED);
      break;
    case service::ResourceChanged::Kind::kDeleted:
      out.set_kind(proto::Event::ResourceChanged::DELETED);
      break;
  }
}

void ConvertWhat(const service::ConditionChanged& from, proto::Event& to) {
  proto::Event::ConditionChanged& out = *to.mutable_condition_changed();
  out.set_resource(from.resource);
  Convert(from.condition, *out.mutable_condition());
}

void ConvertWhat(const service::WarningAdded& from, proto::Event& to) {
  proto::Event::WarningAdded& out = *to.mutable_warning_added();
  out.set_resource(from.resource);
  Convert(from.warning, *out.mutable_warning());
}

void ConvertWhat(const service::NodeEvent& from, proto::Event& to) {
  const std::string node = from.node.ToString();
  switch (from.kind) {
    case service::NodeEvent::Kind::kConnected:
    case service::NodeEvent::Kind::kDisconnected: {
      proto::Event::NodeConnection& out = *to.mutable_node_connection();
      out.set_node(node);
      out.set_connected(from.kind == service::NodeEvent::Kind::kConnected);
      out.set_reason(from.reason);
      break;
    }
    case service::NodeEvent::Kind::kAcknowledged:
      to.mutable_node_acknowledged()->set_node(node);
      to.mutable_node_acknowledged()->set_acknowledged_revision(from.revision);
      break;
    case service::NodeEvent::Kind::kRefused:
      to.mutable_node_refused()->set_node(node);
      Convert(from.refusal, *to.mutable_node_refused()->mutable_refusal());
      break;
  }
}

}  // namespace

void Convert(const service::Event& from, proto::Event& to) {
  SetTime(from.time, [&] { return to.mutable_time(); });
  to.set_revision(from.revision);
  absl::visit([&](const auto& what) { ConvertWhat(what, to); }, from.what);
}

}  // namespace sallyport::api
