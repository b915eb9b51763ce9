#include "config_service/api/domain_names.h"

#include <string>
#include <utility>
#include <vector>

#include "config_service/api/convert_domain_name.h"
#include "config_service/api/handlers.h"
#include "proto/sallyport/config/v1/api_mapping.grpc.pb.h"
#include "proto/sallyport/config/v1/domain_name.grpc.pb.h"

namespace sallyport::api {

namespace proto = sallyport::config::v1;
using domain::ApiMappingName;
using domain::DomainNameName;
using domain::Etag;
using grpc::ServerContext;
using service::ApiMappings;
using service::Caller;
using service::DomainNames;
using service::PageRequest;
using service::Write;

namespace {

using Mask = std::vector<std::string>;

template <typename Request>
DomainNames::Exceptions ExceptionsOf(const Request& request) {
  DomainNames::Exceptions out;
  out.force = request.force();
  out.override_issuer_conflict = request.override_issuer_conflict();
  return out;
}

class DomainNamesService final : public proto::DomainNames::Service,
                                 private Handlers {
 public:
  DomainNamesService(DomainNames* domain_names, Gate* gate)
      : Handlers("DomainNames", gate), domain_names_(domain_names) {}

  grpc::Status CreateDomainName(ServerContext* context,
                                const proto::CreateDomainNameRequest* request,
                                proto::DomainName* response) override {
    return Create(context, __func__, *request, "domain_name",
                  request->domain_name(), *response,
                  [&](const Caller& caller, const Write& write,
                      domain::DomainName domain_name) {
                    return domain_names_->Create(
                        caller, write,
                        {request->domain_name_id(), std::move(domain_name),
                         ExceptionsOf(*request)});
                  });
  }

  grpc::Status GetDomainName(ServerContext* context,
                             const proto::GetDomainNameRequest* request,
                             proto::DomainName* response) override {
    return Get<DomainNameName>(
        context, __func__, *request, *response,
        [&](const DomainNameName& name) { return domain_names_->Get(name); });
  }

  grpc::Status ListDomainNames(
      ServerContext* context, const proto::ListDomainNamesRequest* request,
      proto::ListDomainNamesResponse* response) override {
    return List(
        context, __func__, *request, *response,
        &proto::ListDomainNamesResponse::add_domain_names,
        [&](const PageRequest& page) { return domain_names_->List(page); });
  }

  grpc::Status UpdateDomainName(ServerContext* context,
                                const proto::UpdateDomainNameRequest* request,
                                proto::DomainName* response) override {
    return Update(context, __func__, *request, "domain_name",
                  request->domain_name(), *response,
                  [&](const Caller& caller, const Write& write,
                      domain::DomainName domain_name, Mask mask) {
                    return domain_names_->Update(
                        caller, write,
                        {std::move(domain_name), std::move(mask),
                         ExceptionsOf(*request)});
                  });
  }

  grpc::Status DeleteDomainName(ServerContext* context,
                                const proto::DeleteDomainNameRequest* request,
                                google::protobuf::Empty*) override {
    return Delete<DomainNameName>(
        context, __func__, *request,
        [&](const Caller& caller, const Write& write,
            const DomainNameName& name, const Etag& etag) {
          return domain_names_->Delete(caller, write, name, etag,
                                       request->force()
                                           ? DomainNames::Mappings::kDelete
                                           : DomainNames::Mappings::kKeep);
        });
  }

 private:
  DomainNames* const domain_names_;
};

class ApiMappingsService final : public proto::ApiMappings::Service,
                                 private Handlers {
 public:
  ApiMappingsService(ApiMappings* mappings, Gate* gate)
      : Handlers("ApiMappings", gate), mappings_(mappings) {}

  grpc::Status CreateApiMapping(ServerContext* context,
                                const proto::CreateApiMappingRequest* request,
                                proto::ApiMapping* response) override {
    return CreateIn<DomainNameName>(
        context, __func__, *request, "api_mapping", request->api_mapping(),
        *response,
        [&](const Caller& caller, const Write& write,
            const DomainNameName& parent, const domain::ApiMapping& mapping) {
          return mappings_->Create(caller, write, parent,
                                   request->api_mapping_id(), mapping);
        });
  }

  grpc::Status GetApiMapping(ServerContext* context,
                             const proto::GetApiMappingRequest* request,
                             proto::ApiMapping* response) override {
    return Get<ApiMappingName>(
        context, __func__, *request, *response,
        [&](const ApiMappingName& name) { return mappings_->Get(name); });
  }

  grpc::Status ListApiMappings(
      ServerContext* context, const proto::ListApiMappingsRequest* request,
      proto::ListApiMappingsResponse* response) override {
    return ListInAny<DomainNameName>(
        context, __func__, *request, *response,
        &proto::ListApiMappingsResponse::add_api_mappings,
        [&](const DomainNameName& parent, const PageRequest& page) {
          return mappings_->List(parent, page);
        });
  }

  grpc::Status UpdateApiMapping(ServerContext* context,
                                const proto::UpdateApiMappingRequest* request,
                                proto::ApiMapping* response) override {
    return Update(context, __func__, *request, "api_mapping",
                  request->api_mapping(), *response,
                  [&](const Caller& caller, const Write& write,
                      const domain::ApiMapping& mapping, const Mask& mask) {
                    return mappings_->Update(caller, write, mapping, mask);
                  });
  }

  grpc::Status DeleteApiMapping(ServerContext* context,
                                const proto::DeleteApiMappingRequest* request,
                                google::protobuf::Empty*) override {
    return Delete<ApiMappingName>(
        context, __func__, *request,
        [&](const Caller& caller, const Write& write,
            const ApiMappingName& name, const Etag& etag) {
          return mappings_->Delete(caller, write, name, etag);
        });
  }

 private:
  ApiMappings* const mappings_;
};

}  // namespace

std::unique_ptr<grpc::Service> NewDomainNamesService(DomainNames* domain_names,
                                                     Gate* gate) {
  return std::make_unique<DomainNamesService>(domain_names, gate);
}

std::unique_ptr<grpc::Service> NewApiMappingsService(ApiMappings* mappings,
                                                     Gate* gate) {
  return std::make_unique<ApiMappingsService>(mappings, gate);
}

}  // namespace sallyport::api
