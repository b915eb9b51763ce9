#include "config_service/xds/server/fake_proxy.h"

#include <cstdlib>
#include <iostream>
#include <iterator>

#include "envoy/service/discovery/v3/discovery.pb.h"

namespace sallyport::xds {
namespace {

using envoy::service::discovery::v3::DeltaDiscoveryRequest;
using envoy::service::discovery::v3::DeltaDiscoveryResponse;
using envoy::service::discovery::v3::DiscoveryRequest;
using envoy::service::discovery::v3::DiscoveryResponse;

void Require(bool holds, absl::string_view what) {
  if (holds) return;
  std::cerr << "FakeProxy: " << what << "\n";
  std::abort();
}

ResourceType TypeOf(const std::string& url) {
  const auto type = FindResourceType(url);
  Require(type.has_value(), "the response has an unknown type");
  return *type;
}

// In the state of the world a resource's name is in its content only. Contents
// of these tests are "NAME=..." there.
std::string NameIn(const std::string& content) {
  return content.substr(0, content.find('='));
}

}  // namespace

void FakeProxy::SetNode(const std::string& id, const std::string& cluster) {
  node_id_ = id;
  node_cluster_ = cluster;
}

std::string FakeProxy::Ask(ResourceType type,
                           const std::vector<std::string>& subscribe,
                           const std::vector<std::string>& unsubscribe) {
  Type& t = state(type);
  const bool first = !t.requested;
  t.requested = true;
  const bool implicit =
      type == ResourceType::kCluster || type == ResourceType::kListener;
  if (first && subscribe.empty() && implicit) t.wildcard = true;
  for (const std::string& name : unsubscribe) {
    if (name == "*") {
      t.wildcard = false;
    } else {
      t.names.erase(name);
    }
  }
  for (const std::string& name : subscribe) {
    if (name == "*") {
      t.wildcard = true;
    } else {
      t.names.insert(name);
    }
  }
  // What it does not ask for any more it drops.
  if (!t.wildcard) {
    for (auto held = t.held.begin(); held != t.held.end();) {
      held =
          t.names.count(held->first) > 0 ? std::next(held) : t.held.erase(held);
    }
  }
  for (const std::string& name : unsubscribe) t.absent.erase(name);

  if (form_ == Form::kDelta) {
    DeltaDiscoveryRequest request;
    request.set_type_url(std::string(TypeUrl(type)));
    for (const auto& name : subscribe) {
      request.add_resource_names_subscribe(name);
    }
    for (const auto& name : unsubscribe) {
      request.add_resource_names_unsubscribe(name);
    }
    if (!node_id_.empty()) {
      request.mutable_node()->set_id(node_id_);
      request.mutable_node()->set_cluster(node_cluster_);
    }
    return request.SerializeAsString();
  }
  DiscoveryRequest request;
  request.set_type_url(std::string(TypeUrl(type)));
  for (const auto& name : t.names) request.add_resource_names(name);
  if (t.wildcard && !t.names.empty()) request.add_resource_names("*");
  request.set_version_info(t.version);
  request.set_response_nonce(t.nonce);
  if (!node_id_.empty()) {
    request.mutable_node()->set_id(node_id_);
    request.mutable_node()->set_cluster(node_cluster_);
  }
  return request.SerializeAsString();
}

void FakeProxy::Disconnect() {
  for (Type& t : types_) {
    t.nonce.clear();
    t.absent.clear();
  }
}

std::string FakeProxy::Resume(ResourceType type) {
  Type& t = state(type);
  if (form_ == Form::kStateOfTheWorld) {
    DiscoveryRequest request;
    request.set_type_url(std::string(TypeUrl(type)));
    for (const auto& name : t.names) request.add_resource_names(name);
    if (t.wildcard && !t.names.empty()) request.add_resource_names("*");
    request.set_version_info(t.version);
    if (!node_id_.empty()) {
      request.mutable_node()->set_id(node_id_);
      request.mutable_node()->set_cluster(node_cluster_);
    }
    return request.SerializeAsString();
  }
  DeltaDiscoveryRequest request;
  request.set_type_url(std::string(TypeUrl(type)));
  for (const auto& name : t.names) request.add_resource_names_subscribe(name);
  const bool implicit =
      type == ResourceType::kCluster || type == ResourceType::kListener;
  if (t.wildcard && (!implicit || !t.names.empty())) {
    request.add_resource_names_subscribe("*");
  }
  for (const auto& [name, held] : t.held) {
    (*request.mutable_initial_resource_versions())[name] = held.version;
  }
  if (!node_id_.empty()) {
    request.mutable_node()->set_id(node_id_);
    request.mutable_node()->set_cluster(node_cluster_);
  }
  return request.SerializeAsString();
}

FakeProxy::Received FakeProxy::Read(absl::string_view response) const {
  Received received;
  if (form_ == Form::kDelta) {
    DeltaDiscoveryResponse message;
    Require(message.ParseFromArray(response.data(),
                                   static_cast<int>(response.size())),
            "the response is no DeltaDiscoveryResponse");
    received.type = TypeOf(message.type_url());
    received.nonce = message.nonce();
    received.version = message.system_version_info();
    for (const auto& resource : message.resources()) {
      Require(resource.resource().type_url() == message.type_url(),
              "a resource has another type than its response");
      const bool added =
          received.resources
              .emplace(resource.name(),
                       Held{resource.version(), resource.resource().value()})
              .second;
      Require(added, "a response has a resource twice");
    }
    received.removed.assign(message.removed_resources().begin(),
                            message.removed_resources().end());
  } else {
    DiscoveryResponse message;
    Require(message.ParseFromArray(response.data(),
                                   static_cast<int>(response.size())),
            "the response is no DiscoveryResponse");
    received.type = TypeOf(message.type_url());
    received.nonce = message.nonce();
    received.version = message.version_info();
    for (const auto& any : message.resources()) {
      Require(any.type_url() == message.type_url(),
              "a resource has another type than its response");
      const bool added =
          received.resources.emplace(NameIn(any.value()), Held{"", any.value()})
              .second;
      Require(added, "a response has a resource twice");
    }
  }
  Require(!received.nonce.empty(), "a response has no nonce");
  return received;
}

std::string FakeProxy::Answer(const Received& received,
                              const std::optional<std::string>& error) {
  Type& t = state(received.type);
  if (form_ == Form::kDelta) {
    DeltaDiscoveryRequest request;
    request.set_type_url(std::string(TypeUrl(received.type)));
    request.set_response_nonce(received.nonce);
    if (error.has_value()) {
      request.mutable_error_detail()->set_code(13);
      request.mutable_error_detail()->set_message(*error);
    }
    return request.SerializeAsString();
  }
  DiscoveryRequest request;
  request.set_type_url(std::string(TypeUrl(received.type)));
  for (const auto& name : t.names) request.add_resource_names(name);
  if (t.wildcard && !t.names.empty()) request.add_resource_names("*");
  request.set_version_info(t.version);
  request.set_response_nonce(received.nonce);
  if (error.has_value()) {
    request.mutable_error_detail()->set_code(13);
    request.mutable_error_detail()->set_message(*error);
  }
  return request.SerializeAsString();
}

std::string FakeProxy::Accept(const Received& received) {
  Type& t = state(received.type);
  t.nonce = received.nonce;
  t.version = received.version;
  const bool everything = form_ == Form::kStateOfTheWorld &&
                          (received.type == ResourceType::kCluster ||
                           received.type == ResourceType::kListener);
  if (everything) t.held.clear();
  for (const auto& [name, held] : received.resources) {
    t.absent.erase(name);
    // It may have dropped it meanwhile.
    if (t.wildcard || t.names.count(name) > 0) t.held[name] = held;
  }
  for (const std::string& name : received.removed) {
    t.held.erase(name);
    if (t.names.count(name) > 0) t.absent.insert(name);
  }
  return Answer(received, std::nullopt);
}

std::string FakeProxy::Refuse(const Received& received,
                              const std::string& message) {
  state(received.type).nonce = received.nonce;
  return Answer(received, message);
}

}  // namespace sallyport::xds
