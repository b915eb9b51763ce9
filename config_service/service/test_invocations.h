// TestInvocations: one request to a route, through a node, for an operator who
// wants to see what its backend says.

#ifndef SALLYPORT_CONFIG_SERVICE_SERVICE_TEST_INVOCATIONS_H_
#define SALLYPORT_CONFIG_SERVICE_SERVICE_TEST_INVOCATIONS_H_

#include <cstddef>
#include <deque>
#include <map>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "config_service/domain/api.h"
#include "config_service/domain/fleet.h"
#include "config_service/domain/name.h"
#include "config_service/domain/violations.h"
#include "config_service/service/caller.h"
#include "config_service/service/node_invoker.h"
#include "config_service/service/rollouts.h"
#include "config_service/service/transaction.h"

namespace sallyport::service {

// Invocations at one time: each is a change of a fleet's port, twice.
constexpr int kMaxTestInvocationsAtOnce = 4;
// Of these one principal's, so that others have a place.
constexpr int kMaxTestInvocationsOfPrincipal = 2;
// And in a minute: nodes keep what each had until they have drained it.
constexpr size_t kMaxTestInvocationsPerMinute = 60;
// What one may send.
constexpr size_t kMaxTestPathBytes = 8192;
constexpr size_t kMaxTestHeaders = 100;
constexpr size_t kMaxTestHeaderBytes = size_t{16} << 10;  // names and values
constexpr size_t kMaxTestBodyBytes = size_t{64} << 10;
// How long it may take until the node is ready, beside the time that the route
// gives its backend.
constexpr absl::Duration kTestSetUpTime = absl::Seconds(20);

// Thread-safe. Callers are authorised before (roles.h). Errors carry a
// domain::Error.
class TestInvocations {
 public:
  struct Request {
    domain::RouteName route;
    domain::StageName stage;                           // empty: none
    domain::ClientCertificateName client_certificate;  // empty: the stage's
    domain::NodeName node;                             // empty: any
    std::string node_address;                          // empty: as known
    std::string method;                                // empty: the route's
    std::string path;
    std::vector<HttpHeader> headers;
    std::string body;
    std::map<std::string, std::string> stage_variables;
  };
  struct Result {
    NodeAnswer answer;
    domain::NodeName node;
    std::string backend;  // the URI; empty: a mock
    // Of what was offered to the backend; empty: nothing.
    domain::ClientCertificateName client_certificate;
    std::string client_certificate_subject;
    std::string client_certificate_sha256;
    // Printable.
    std::vector<std::string> log;
  };

  // What they point to outlives this.
  TestInvocations(const Context& context, NodeInvoker* invoker)
      : context_(context), invoker_(invoker) {}

  // It is in the audit log before it is sent: without headers, body and query.
  // FIELDS_INVALID and the like, REFERENCE_NOT_FOUND, STAGE_VARIABLE_MISSING,
  // NO_NODE_CONNECTED, RATE_LIMITED, NOT_SUPPORTED.
  absl::StatusOr<Result> Invoke(const Caller& caller, const Write& write,
                                const Request& request,
                                const Cancelled& cancelled);

 private:
  absl::StatusOr<Result> InvokeOne(const Caller& caller, const Write& write,
                                   const Request& request,
                                   const Cancelled& cancelled);
  // What is named, loaded; what is wrong, at its field.
  absl::Status LoadRoute(const Request& request, NodeInvocation& invocation);
  absl::Status LoadBackend(const Request& request, NodeInvocation& invocation,
                           Result& result);
  // A connected node that may have what the route's backend is shown, and where
  // it listens.
  absl::Status ChooseNode(const Request& request, NodeInvocation& invocation);
  absl::Status Audit(const Caller& caller, const Write& write,
                     const Request& request, const NodeInvocation& invocation);

  // RATE_LIMITED.
  absl::Status Count();

  const Context context_;
  NodeInvoker* const invoker_;
  absl::Mutex mu_;
  // When those of the last minute began, the oldest first.
  int running_ ABSL_GUARDED_BY(mu_) = 0;
  std::map<std::string, int> running_of_ ABSL_GUARDED_BY(mu_);  // by principal
  std::deque<absl::Time> begun_ ABSL_GUARDED_BY(mu_);
};

// ADDRESS:PORT with the address in numbers, brackets around IPv6. Not the
// unspecified address, nor one of multicast or of the link alone: whoever
// answers there is no node of anybody's.
absl::Status CheckNodeAddress(absl::string_view address);

// What happened, for people, from what the node says.
std::vector<std::string> TestLog(const NodeInvocation& invocation,
                                 const TestInvocations::Result& result);
// Why the answer is not the backend's; empty: it is, or a mock's.
std::string TestFailure(const NodeInvocation& invocation,
                        const NodeAnswer& answer);

}  // namespace sallyport::service

#endif  // SALLYPORT_CONFIG_SERVICE_SERVICE_TEST_INVOCATIONS_H_
