// Handlers: what the handlers of all services do alike. A service derives from
// it beside what gRPC generated, and a method is mostly one call:
//
//   grpc::Status GetFleet(ServerContext* context,
//                         const proto::GetFleetRequest* request,
//                         proto::Fleet* response) override {
//     return Get<FleetName>(context, __func__, *request, *response,
//                           [&](const FleetName& name) {
//                             return fleets_->Get(name);
//                           });
//   }
//
// Each passes the gate first, then reads the request (all that is wrong with it
// at once), calls the use case and converts what it returns. The conversions
// are functions Convert(): the templates find those that are declared before
// them, so a service includes its convert_*.h ahead of this header.

#ifndef SALLYPORT_CONFIG_SERVICE_API_HANDLERS_H_
#define SALLYPORT_CONFIG_SERVICE_API_HANDLERS_H_

#include <string>
#include <type_traits>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/status_macros.h"
#include "config_service/api/convert.h"
#include "config_service/api/gate.h"
#include "config_service/domain/common.h"
#include "config_service/domain/violations.h"
#include "config_service/service/caller.h"
#include "config_service/service/paging.h"
#include "grpcpp/server_context.h"
#include "grpcpp/support/status.h"

namespace sallyport::api {

// Converts what a use case returned, or passes its error on.
template <typename View, typename Message>
absl::Status Answer(const absl::StatusOr<View>& view, Message& response) {
  if (!view.ok()) return view.status();
  Convert(*view, response);
  return absl::OkStatus();
}

// The resource that the field `field` of a request has; violations with paths
// from the request on.
template <typename Message>
auto ReadResource(absl::string_view field, const Message& message,
                  domain::Violations& violations) {
  domain::Violations fields;
  auto resource = Convert(message, fields);
  violations.AddAll(field, fields);
  return resource;
}

// Thread-safe.
class Handlers {
 protected:
  // `service` is "Fleets". `gate` outlives it.
  Handlers(absl::string_view service, Gate* gate)
      : prefix_(absl::StrCat("sallyport.config.v1.", service, "/")),
        gate_(gate) {}
  ~Handlers() = default;

  // For methods that are like no other. body(caller, method) -> Status;
  // `method` is the whole name, as WriteOf() takes it.
  template <typename Body>
  grpc::Status Run(grpc::ServerContext* context, absl::string_view name,
                   Body body) {
    const std::string method = absl::StrCat(prefix_, name);
    return gate_->Run(*context, method,
                      [&](const service::Caller& caller) -> absl::Status {
                        return body(caller, absl::string_view(method));
                      });
  }

  // use_case(name) -> StatusOr<View>. The request has `name`.
  template <typename Name, typename Request, typename Response,
            typename UseCase>
  grpc::Status Get(grpc::ServerContext* context, absl::string_view method,
                   const Request& request, Response& response,
                   UseCase use_case) {
    return Run(context, method,
               [&](const service::Caller&, absl::string_view) -> absl::Status {
                 SALLYPORT_ASSIGN_OR_RETURN(
                     const Name name, NameIn<Name>("name", request.name()));
                 return Answer(use_case(name), response);
               });
  }

  // use_case(page_request) -> StatusOr<service::Page<View>>. `add` is the
  // response's "add_fleets".
  template <typename Request, typename Response, typename Item,
            typename UseCase>
  grpc::Status List(grpc::ServerContext* context, absl::string_view method,
                    const Request& request, Response& response,
                    Item* (Response::*add)(), UseCase use_case) {
    return Run(context, method, [&](const service::Caller&, absl::string_view) {
      return AnswerPage(use_case(PageOf(request)), response, add);
    });
  }

  // The same for what has a parent: use_case(parent, page_request).
  template <typename Parent, typename Request, typename Response, typename Item,
            typename UseCase>
  grpc::Status ListIn(grpc::ServerContext* context, absl::string_view method,
                      const Request& request, Response& response,
                      Item* (Response::*add)(), UseCase use_case) {
    return Run(
        context, method,
        [&](const service::Caller&, absl::string_view) -> absl::Status {
          SALLYPORT_ASSIGN_OR_RETURN(
              const Parent parent, NameIn<Parent>("parent", request.parent()));
          return AnswerPage(use_case(parent, PageOf(request)), response, add);
        });
  }

  // The same for a parent whose id may be "-", which stands for all of them:
  // the parent is empty then.
  template <typename Parent, typename Request, typename Response, typename Item,
            typename UseCase>
  grpc::Status ListInAny(grpc::ServerContext* context, absl::string_view method,
                         const Request& request, Response& response,
                         Item* (Response::*add)(), UseCase use_case) {
    return Run(
        context, method,
        [&](const service::Caller&, absl::string_view) -> absl::Status {
          Parent parent;
          if (request.parent() != absl::StrCat(Parent::kCollection, "/-")) {
            SALLYPORT_ASSIGN_OR_RETURN(
                parent, NameIn<Parent>("parent", request.parent()));
          }
          return AnswerPage(use_case(parent, PageOf(request)), response, add);
        });
  }

  // use_case(caller, write, resource) -> StatusOr<View>. `field` is the
  // request's field of the resource, `message` its value; its name is left out
  // of account, since the id (and the parent) say it.
  template <typename Request, typename Message, typename Response,
            typename UseCase>
  grpc::Status Create(grpc::ServerContext* context, absl::string_view method,
                      const Request& request, absl::string_view field,
                      const Message& message, Response& response,
                      UseCase use_case) {
    return Run(context, method,
               [&](const service::Caller& caller,
                   absl::string_view full) -> absl::Status {
                 domain::Violations violations;
                 Message wanted = message;
                 wanted.clear_name();
                 auto resource = ReadResource(field, wanted, violations);
                 SALLYPORT_RETURN_IF_ERROR(violations.ToStatus());
                 return Answer(use_case(caller, WriteOf(full, request),
                                        std::move(resource)),
                               response);
               });
  }

  // The same for what has a parent: use_case(caller, write, parent, resource).
  template <typename Parent, typename Request, typename Message,
            typename Response, typename UseCase>
  grpc::Status CreateIn(grpc::ServerContext* context, absl::string_view method,
                        const Request& request, absl::string_view field,
                        const Message& message, Response& response,
                        UseCase use_case) {
    return Run(context, method,
               [&](const service::Caller& caller,
                   absl::string_view full) -> absl::Status {
                 domain::Violations violations;
                 const auto parent =
                     ParseName<Parent>("parent", request.parent(), violations);
                 Message wanted = message;
                 wanted.clear_name();
                 auto resource = ReadResource(field, wanted, violations);
                 SALLYPORT_RETURN_IF_ERROR(violations.ToStatus());
                 return Answer(use_case(caller, WriteOf(full, request), parent,
                                        std::move(resource)),
                               response);
               });
  }

  // use_case(caller, write, resource, mask) -> StatusOr<View>. The resource has
  // a name, and the etag that the caller gave, if any.
  template <typename Request, typename Message, typename Response,
            typename UseCase>
  grpc::Status Update(grpc::ServerContext* context, absl::string_view method,
                      const Request& request, absl::string_view field,
                      const Message& message, Response& response,
                      UseCase use_case) {
    return Run(context, method,
               [&](const service::Caller& caller,
                   absl::string_view full) -> absl::Status {
                 domain::Violations violations;
                 auto resource = ReadResource(field, message, violations);
                 if (message.name().empty()) {
                   violations.Add(domain::Field(field, "name"),
                                  domain::Reason::kFieldRequired,
                                  "is empty; say which resource to update");
                 }
                 SALLYPORT_RETURN_IF_ERROR(violations.ToStatus());
                 return Answer(use_case(caller, WriteOf(full, request),
                                        std::move(resource),
                                        MaskOf(request.has_update_mask(),
                                               request.update_mask(), message)),
                               response);
               });
  }

  // use_case(caller, write, name) -> StatusOr<View>: a change of what the
  // request has the `name` of.
  template <typename Name, typename Request, typename Response,
            typename UseCase>
  grpc::Status Change(grpc::ServerContext* context, absl::string_view method,
                      const Request& request, Response& response,
                      UseCase use_case) {
    return Run(context, method,
               [&](const service::Caller& caller,
                   absl::string_view full) -> absl::Status {
                 SALLYPORT_ASSIGN_OR_RETURN(
                     const Name name, NameIn<Name>("name", request.name()));
                 return Answer(use_case(caller, WriteOf(full, request), name),
                               response);
               });
  }

  // use_case(caller, write, name, etag) -> Status. The etag is empty where the
  // request has none.
  template <typename Name, typename Request, typename UseCase>
  grpc::Status Delete(grpc::ServerContext* context, absl::string_view method,
                      const Request& request, UseCase use_case) {
    return Run(context, method,
               [&](const service::Caller& caller,
                   absl::string_view full) -> absl::Status {
                 SALLYPORT_ASSIGN_OR_RETURN(
                     const Name name, NameIn<Name>("name", request.name()));
                 return use_case(caller, WriteOf(full, request), name,
                                 EtagOf(request, 0));
               });
  }

  // The name in a field of a request; NAME_MALFORMED or FIELD_REQUIRED there.
  template <typename Name>
  static absl::StatusOr<Name> NameIn(absl::string_view field,
                                     const std::string& text) {
    domain::Violations violations;
    Name name = ParseName<Name>(field, text, violations);
    SALLYPORT_RETURN_IF_ERROR(violations.ToStatus());
    return name;
  }

 private:
  template <typename Item, typename Response, typename Message>
  static absl::Status AnswerPage(
      const absl::StatusOr<service::Page<Item>>& page, Response& response,
      Message* (Response::*add)()) {
    if (!page.ok()) return page.status();
    for (const Item& item : page->items) Convert(item, *(response.*add)());
    response.set_next_page_token(page->next_page_token);
    SetRevision(page->revision, response, 0);
    return absl::OkStatus();
  }

  // Not every list has a revision, nor every deletion an etag.
  template <typename Response>
  static auto SetRevision(int64_t revision, Response& response, int)
      -> decltype(response.set_revision(revision)) {
    response.set_revision(revision);
  }
  template <typename Response>
  static void SetRevision(int64_t, Response&, unsigned) {}
  template <typename Request>
  static auto EtagOf(const Request& request, int)
      -> decltype(domain::Etag(request.etag())) {
    return domain::Etag(request.etag());
  }
  template <typename Request>
  static domain::Etag EtagOf(const Request&, unsigned) {
    return domain::Etag();
  }

  const std::string prefix_;
  Gate* const gate_;
};

}  // namespace sallyport::api

#endif  // SALLYPORT_CONFIG_SERVICE_API_HANDLERS_H_
