#include "config_service/api/certificates.h"

#include <string>
#include <utility>
#include <vector>

#include "base/secret.h"
#include "base/status_macros.h"
#include "config_service/api/convert_certificate.h"
#include "config_service/api/handlers.h"
#include "config_service/domain/violations.h"
#include "config_service/service/errors.h"
#include "proto/sallyport/config/v1/client_certificate.grpc.pb.h"
#include "proto/sallyport/config/v1/issuer.grpc.pb.h"
#include "proto/sallyport/config/v1/server_certificate.grpc.pb.h"

namespace sallyport::api {

namespace proto = sallyport::config::v1;
using domain::ClientCertificateName;
using domain::IssuerName;
using domain::Reason;
using domain::ServerCertificateName;
using domain::ServerCertificateVersionName;
using domain::Violations;
using grpc::ServerContext;
using service::Caller;
using service::ClientCertificates;
using service::PageRequest;
using service::ServerCertificates;
using service::Write;

namespace {

ServerCertificates::Material MaterialOf(
    const proto::ServerCertificateMaterial& from) {
  ServerCertificates::Material to;
  to.certificate_chain_pem = from.certificate_chain_pem();
  to.private_key_pem = Secret::CopyOf(from.private_key_pem());
  return to;
}

class ServerCertificatesService final
    : public proto::ServerCertificates::Service,
      private Handlers {
 public:
  ServerCertificatesService(ServerCertificates* certificates, Gate* gate)
      : Handlers("ServerCertificates", gate), certificates_(certificates) {}

  grpc::Status CreateServerCertificate(
      ServerContext* context,
      const proto::CreateServerCertificateRequest* request,
      proto::ServerCertificate* response) override {
    return Create(
        context, __func__, *request, "server_certificate",
        request->server_certificate(), *response,
        [&](const Caller& caller, const Write& write,
            domain::ServerCertificate certificate) {
          return certificates_->Create(
              caller, write,
              {request->server_certificate_id(), std::move(certificate),
               MaterialOf(request->material())});
        });
  }

  grpc::Status GetServerCertificate(
      ServerContext* context, const proto::GetServerCertificateRequest* request,
      proto::ServerCertificate* response) override {
    return Get<ServerCertificateName>(context, __func__, *request, *response,
                                      [&](const ServerCertificateName& name) {
                                        return certificates_->Get(name);
                                      });
  }

  grpc::Status ListServerCertificates(
      ServerContext* context,
      const proto::ListServerCertificatesRequest* request,
      proto::ListServerCertificatesResponse* response) override {
    return List(
        context, __func__, *request, *response,
        &proto::ListServerCertificatesResponse::add_server_certificates,
        [&](const PageRequest& page) { return certificates_->List(page); });
  }

  grpc::Status UpdateServerCertificate(
      ServerContext* context,
      const proto::UpdateServerCertificateRequest* request,
      proto::ServerCertificate* response) override {
    return Update(context, __func__, *request, "server_certificate",
                  request->server_certificate(), *response,
                  [&](const Caller& caller, const Write& write,
                      domain::ServerCertificate certificate,
                      std::vector<std::string> mask) {
                    return certificates_->Update(
                        caller, write,
                        {std::move(certificate), std::move(mask)});
                  });
  }

  grpc::Status DeleteServerCertificate(
      ServerContext* context,
      const proto::DeleteServerCertificateRequest* request,
      google::protobuf::Empty*) override {
    return Delete<ServerCertificateName>(
        context, __func__, *request,
        [&](const Caller& caller, const Write& write,
            const ServerCertificateName& name, const domain::Etag& etag) {
          return certificates_->Delete(caller, write, name, etag);
        });
  }

  grpc::Status ImportServerCertificate(
      ServerContext* context,
      const proto::ImportServerCertificateRequest* request,
      proto::ServerCertificate* response) override {
    using IssuerConflict = ServerCertificates::IssuerConflict;
    return Change<ServerCertificateName>(
        context, __func__, *request, *response,
        [&](const Caller& caller, const Write& write,
            const ServerCertificateName& name) {
          return certificates_->Import(
              caller, write,
              {name, MaterialOf(request->material()),
               domain::Etag(request->etag()),
               request->override_issuer_conflict() ? IssuerConflict::kOverride
                                                   : IssuerConflict::kRefuse});
        });
  }

  grpc::Status RenewServerCertificate(
      ServerContext* context,
      const proto::RenewServerCertificateRequest* request,
      proto::ServerCertificate* response) override {
    return Change<ServerCertificateName>(
        context, __func__, *request, *response,
        [&](const Caller& caller, const Write& write,
            const ServerCertificateName& name) {
          return certificates_->Renew(caller, write, name,
                                      domain::Etag(request->etag()));
        });
  }

  grpc::Status GetServerCertificateVersion(
      ServerContext* context,
      const proto::GetServerCertificateVersionRequest* request,
      proto::ServerCertificateVersion* response) override {
    return Get<ServerCertificateVersionName>(
        context, __func__, *request, *response,
        [&](const ServerCertificateVersionName& name) {
          return certificates_->GetVersion(name);
        });
  }

  grpc::Status ListServerCertificateVersions(
      ServerContext* context,
      const proto::ListServerCertificateVersionsRequest* request,
      proto::ListServerCertificateVersionsResponse* response) override {
    return ListIn<ServerCertificateName>(
        context, __func__, *request, *response,
        &proto::ListServerCertificateVersionsResponse::
            add_server_certificate_versions,
        [&](const ServerCertificateName& parent, const PageRequest& page) {
          return certificates_->ListVersions(parent, page);
        });
  }

 private:
  ServerCertificates* const certificates_;
};

class IssuersService final : public proto::Issuers::Service, private Handlers {
 public:
  IssuersService(ServerCertificates* certificates, Gate* gate)
      : Handlers("Issuers", gate), certificates_(certificates) {}

  grpc::Status GetIssuer(ServerContext* context,
                         const proto::GetIssuerRequest* request,
                         proto::Issuer* response) override {
    return Get<IssuerName>(
        context, __func__, *request, *response,
        [&](const IssuerName& name)
            -> absl::StatusOr<service::CertificateIssuer::Info> {
          const auto* issuer = certificates_->FindIssuer(name.id());
          if (issuer == nullptr) {
            return service::NotFound(IssuerName::kType, name.ToString());
          }
          return issuer->info();
        });
  }

  grpc::Status ListIssuers(ServerContext* context,
                           const proto::ListIssuersRequest* request,
                           proto::ListIssuersResponse* response) override {
    return List(
        context, __func__, *request, *response,
        &proto::ListIssuersResponse::add_issuers,
        [&](const PageRequest& page)
            -> absl::StatusOr<service::Page<service::CertificateIssuer::Info>> {
          SALLYPORT_RETURN_IF_ERROR(service::CheckOnePage(page));
          service::Page<service::CertificateIssuer::Info> out;
          for (const auto* issuer : certificates_->issuing().issuers) {
            out.items.push_back(issuer->info());
          }
          return out;
        });
  }

 private:
  ServerCertificates* const certificates_;
};

class ClientCertificatesService final
    : public proto::ClientCertificates::Service,
      private Handlers {
 public:
  ClientCertificatesService(ClientCertificates* certificates, Gate* gate)
      : Handlers("ClientCertificates", gate), certificates_(certificates) {}

  grpc::Status GenerateClientCertificate(
      ServerContext* context,
      const proto::GenerateClientCertificateRequest* request,
      proto::ClientCertificate* response) override {
    return Create(
        context, __func__, *request, "client_certificate",
        request->client_certificate(), *response,
        [&](const Caller& caller, const Write& write,
            domain::ClientCertificate certificate)
            -> absl::StatusOr<service::ClientCertificateView> {
          ClientCertificates::GenerateRequest generate;
          generate.id = request->client_certificate_id();
          generate.certificate = std::move(certificate);
          generate.common_name = request->common_name();
          using Kind = pki::PrivateKey::Kind;
          switch (request->key_type()) {
            case proto::GenerateClientCertificateRequest::KEY_TYPE_UNSPECIFIED:
            case proto::GenerateClientCertificateRequest::RSA_2048:
              generate.key_kind = Kind::kRsa2048;
              break;
            case proto::GenerateClientCertificateRequest::RSA_3072:
              generate.key_kind = Kind::kRsa3072;
              break;
            case proto::GenerateClientCertificateRequest::ECDSA_P256:
              generate.key_kind = Kind::kEcP256;
              break;
            case proto::GenerateClientCertificateRequest::ECDSA_P384:
              generate.key_kind = Kind::kEcP384;
              break;
            default: {
              Violations violations;
              violations.Add("key_type", Reason::kFieldMalformed,
                             "is no value of it that is known");
              return violations.ToStatus();
            }
          }
          return certificates_->Generate(caller, write, generate);
        });
  }

  grpc::Status ImportClientCertificate(
      ServerContext* context,
      const proto::ImportClientCertificateRequest* request,
      proto::ClientCertificate* response) override {
    return Create(
        context, __func__, *request, "client_certificate",
        request->client_certificate(), *response,
        [&](const Caller& caller, const Write& write,
            domain::ClientCertificate certificate) {
          return certificates_->Import(
              caller, write,
              {request->client_certificate_id(), std::move(certificate),
               request->certificate_chain_pem(),
               Secret::CopyOf(request->private_key_pem())});
        });
  }

  grpc::Status GetClientCertificate(
      ServerContext* context, const proto::GetClientCertificateRequest* request,
      proto::ClientCertificate* response) override {
    return Get<ClientCertificateName>(context, __func__, *request, *response,
                                      [&](const ClientCertificateName& name) {
                                        return certificates_->Get(name);
                                      });
  }

  grpc::Status ListClientCertificates(
      ServerContext* context,
      const proto::ListClientCertificatesRequest* request,
      proto::ListClientCertificatesResponse* response) override {
    return List(
        context, __func__, *request, *response,
        &proto::ListClientCertificatesResponse::add_client_certificates,
        [&](const PageRequest& page) { return certificates_->List(page); });
  }

  grpc::Status UpdateClientCertificate(
      ServerContext* context,
      const proto::UpdateClientCertificateRequest* request,
      proto::ClientCertificate* response) override {
    return Update(context, __func__, *request, "client_certificate",
                  request->client_certificate(), *response,
                  [&](const Caller& caller, const Write& write,
                      domain::ClientCertificate certificate,
                      std::vector<std::string> mask) {
                    return certificates_->Update(
                        caller, write,
                        {std::move(certificate), std::move(mask)});
                  });
  }

  grpc::Status DeleteClientCertificate(
      ServerContext* context,
      const proto::DeleteClientCertificateRequest* request,
      google::protobuf::Empty*) override {
    return Delete<ClientCertificateName>(
        context, __func__, *request,
        [&](const Caller& caller, const Write& write,
            const ClientCertificateName& name, const domain::Etag& etag) {
          return certificates_->Delete(caller, write, name, etag);
        });
  }

 private:
  ClientCertificates* const certificates_;
};

}  // namespace

std::unique_ptr<grpc::Service> NewServerCertificatesService(
    ServerCertificates* certificates, Gate* gate) {
  return std::make_unique<ServerCertificatesService>(certificates, gate);
}

std::unique_ptr<grpc::Service> NewIssuersService(
    ServerCertificates* certificates, Gate* gate) {
  return std::make_unique<IssuersService>(certificates, gate);
}

std::unique_ptr<grpc::Service> NewClientCertificatesService(
    ClientCertificates* certificates, Gate* gate) {
  return std::make_unique<ClientCertificatesService>(certificates, gate);
}

}  // namespace sallyport::api
