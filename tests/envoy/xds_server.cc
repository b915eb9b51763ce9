// An xDS server for tests: the config service's cache, ledger and port, told
// what to publish by lines of JSON on its standard input. Each line is answered
// by one line on standard output; the first line there says the port.
//
//   {"publish": {"fleet", "revision", "whole": true|false,
//                "put": [{"type": "Listener", "resource": {...}}, ...],
//                "remove": [{"type", "name"}, ...]}}       -> {"sequence": 3}
//   {"wait": {"fleet", "sequence", "seconds"}}
//                        -> {"done", "lagging": [...], "refusing": [...]}
//   {"nodes": {}}        -> {"nodes": [...]}
//
// Whatever cannot be done is answered by {"error": "..."}. It ends with its
// input. Usage: xds_server ADDRESS

#include <iostream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/types/optional.h"
#include "base/clock.h"
#include "config_service/xds/cache/cache.h"
#include "config_service/xds/server/authenticator.h"
#include "config_service/xds/server/ledger.h"
#include "config_service/xds/server/server.h"
#include "envoy/config/cluster/v3/cluster.pb.h"
#include "envoy/config/listener/v3/listener.pb.h"
#include "envoy/config/listener/v3/listener_components.pb.h"
#include "envoy/config/route/v3/route.pb.h"
#include "envoy/extensions/filters/http/router/v3/router.pb.h"
#include "envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.pb.h"
#include "envoy/extensions/transport_sockets/tls/v3/secret.pb.h"
#include "envoy/extensions/transport_sockets/tls/v3/tls.pb.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/io/zero_copy_stream_impl_lite.h"
#include "google/protobuf/util/json_util.h"
#include "nlohmann/json.hpp"

namespace sallyport::xds {
namespace {

using nlohmann::json;

// Linked in by being named: resources, and what they have inside of Any.
const google::protobuf::Message* const kLinked[] = {
    &envoy::config::cluster::v3::Cluster::default_instance(),
    &envoy::config::listener::v3::FilterChain::default_instance(),
    &envoy::config::listener::v3::Listener::default_instance(),
    &envoy::config::route::v3::RouteConfiguration::default_instance(),
    &envoy::extensions::filters::http::router::v3::Router::default_instance(),
    &envoy::extensions::filters::network::http_connection_manager::v3::
        HttpConnectionManager::default_instance(),
    &envoy::extensions::transport_sockets::tls::v3::DownstreamTlsContext::
        default_instance(),
    &envoy::extensions::transport_sockets::tls::v3::Secret::default_instance(),
};

ResourceType TypeOf(const std::string& name) {
  for (size_t i = 0; i < kNumResourceTypes; ++i) {
    const auto type = static_cast<ResourceType>(i);
    if (TypeName(type) == name) return type;
  }
  throw std::invalid_argument("no type " + name);
}

// Null: this tool does not make that type.
std::unique_ptr<google::protobuf::Message> New(ResourceType type) {
  const absl::string_view url = TypeUrl(type);
  const auto* descriptor =
      google::protobuf::DescriptorPool::generated_pool()->FindMessageTypeByName(
          std::string(url.substr(url.find('/') + 1)));
  if (descriptor == nullptr) return nullptr;
  return std::unique_ptr<google::protobuf::Message>(
      google::protobuf::MessageFactory::generated_factory()
          ->GetPrototype(descriptor)
          ->New());
}

ResourcePtr MakeResource(const json& entry) {
  const ResourceType type = TypeOf(entry.at("type"));
  const std::unique_ptr<google::protobuf::Message> message = New(type);
  if (message == nullptr) {
    throw std::invalid_argument("this tool does not make that type");
  }
  const auto status = google::protobuf::util::JsonStringToMessage(
      entry.at("resource").dump(), message.get());
  if (!status.ok()) {
    throw std::invalid_argument(std::string(status.message()));
  }
  std::string bytes;
  {
    google::protobuf::io::StringOutputStream out(&bytes);
    google::protobuf::io::CodedOutputStream coded(&out);
    coded.SetSerializationDeterministic(true);
    message->SerializeToCodedStream(&coded);
  }
  const auto made = Resource::Make(
      type, entry.at("resource").at("name").get<std::string>(), bytes);
  if (!made.ok()) throw std::invalid_argument(made.status().ToString());
  return *made;
}

json Publish(Cache& cache, const json& command) {
  Publication publication;
  if (command.value("whole", false)) {
    publication.kind = Publication::Kind::kWhole;
  }
  publication.store_revision = command.at("revision");
  for (const json& entry : command.value("put", json::array())) {
    publication.put.push_back(MakeResource(entry));
  }
  for (const json& entry : command.value("remove", json::array())) {
    publication.remove.push_back({TypeOf(entry.at("type")), entry.at("name")});
  }
  const auto sequence =
      cache.Publish(command.at("fleet").get<std::string>(), publication);
  if (!sequence.ok()) {
    throw std::invalid_argument(sequence.status().ToString());
  }
  return {{"sequence", *sequence}};
}

json Wait(const Ledger& ledger, const json& command) {
  WaitFor what;
  what.fleet = command.at("fleet");
  what.sequence = command.at("sequence");
  const double seconds = command.at("seconds");
  const WaitResult result =
      ledger.Wait(what, absl::Now() + absl::Seconds(seconds));
  return {{"done", result.done},
          {"connected", result.num_connected},
          {"lagging", result.lagging},
          {"refusing", result.refusing}};
}

json Nodes(const Ledger& ledger) {
  json nodes = json::array();
  for (const NodeStatus& status :
       ledger.Nodes("", Ledger::Departed::kLeaveOut)) {
    json refusals = json::array();
    for (const Refusal& refusal : status.refusals) {
      refusals.push_back(
          {{"type", std::string(TypeName(refusal.resource.type))},
           {"name", refusal.resource.name},
           {"version", refusal.version},
           {"reason", refusal.reason}});
    }
    json types = json::object();
    for (size_t i = 0; i < kNumResourceTypes; ++i) {
      const TypeStatus& type = status.types[i];
      if (!type.requested) continue;
      types[std::string(TypeName(static_cast<ResourceType>(i)))] = {
          {"subscribed", type.num_subscribed},
          {"acknowledged", type.num_acknowledged},
          {"refused", type.num_refused}};
    }
    nodes.push_back({{"name", status.info.name},
                     {"fleet", status.info.fleet},
                     {"user_agent", status.info.user_agent},
                     {"delta", status.delta},
                     {"sequence", status.sequence},
                     {"behind", status.behind},
                     {"requests", status.num_requests},
                     {"responses", status.num_responses},
                     {"refusals", refusals},
                     {"types", types}});
  }
  return {{"nodes", nodes}};
}

json Answer(Cache& cache, const Ledger& ledger, const std::string& line) {
  try {
    const json command = json::parse(line);
    if (command.contains("publish")) return Publish(cache, command["publish"]);
    if (command.contains("wait")) return Wait(ledger, command["wait"]);
    if (command.contains("nodes")) return Nodes(ledger);
    return {{"error", "no such command"}};
  } catch (const std::exception& error) {
    return {{"error", error.what()}};
  }
}

int Main(const std::string& address) {
  Cache cache;
  Ledger ledger(Clock::System(), cache);
  const LoopbackAuthenticator authenticator;
  Server::Config config;
  config.address = address;
  config.log = [](absl::string_view line) {
    std::cerr << absl::StrCat(line, "\n");
  };
  auto server = Server::Start(std::move(config), cache, ledger, authenticator,
                              Clock::System());
  if (!server.ok()) {
    std::cerr << server.status() << "\n";
    return 1;
  }
  for (const google::protobuf::Message* message : kLinked) {
    if (message->GetDescriptor() == nullptr) return 1;
  }
  std::cout << json{{"port", (*server)->port()}}.dump() << std::endl;
  std::string line;
  while (std::getline(std::cin, line)) {
    std::cout << Answer(cache, ledger, line).dump() << std::endl;
  }
  (*server)->Stop(absl::Seconds(1));
  return 0;
}

}  // namespace
}  // namespace sallyport::xds

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: xds_server ADDRESS\n";
    return 2;
  }
  return sallyport::xds::Main(argv[1]);
}
