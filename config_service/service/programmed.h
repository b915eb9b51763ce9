// Programmed: whether the nodes have what a stage or a mapping says.

#ifndef SALLYPORT_CONFIG_SERVICE_SERVICE_PROGRAMMED_H_
#define SALLYPORT_CONFIG_SERVICE_SERVICE_PROGRAMMED_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "config_service/domain/api.h"
#include "config_service/domain/common.h"
#include "config_service/domain/name.h"
#include "config_service/service/rollouts.h"
#include "config_service/store/store.h"

namespace sallyport::service {

// FleetsOfStage: those whose nodes serve the stage, each once, in order: of the
// domains that a mapping puts it on, and, while the API's default endpoint is
// open, those that have default endpoints. With more than kMaxListedStages
// mappings: all fleets.
absl::StatusOr<std::vector<domain::FleetName>> FleetsOfStage(
    store::Store& store, const domain::Stage& stage);

// ProgrammedCondition: "Programmed" as of `revision`: TRUE (ACKNOWLEDGED) when
// every connected node of `fleets` has it; else FALSE (NOT_SERVED: there are no
// fleets; REFUSED: a node refuses what comes of one of `causes`) or UNKNOWN
// (NO_NODES, ON_THE_WAY). `rollouts`: null when nobody serves nodes.
domain::Condition ProgrammedCondition(
    Rollouts* rollouts, int64_t revision,
    absl::Span<const domain::FleetName> fleets,
    const std::vector<std::string>& causes);

// ClientCertificateCondition: "ClientCertificateInForce" of a stage whose
// "Programmed" is `programmed`: TRUE (IN_FORCE, with the certificate's name as
// message) when all connected nodes present the certificate that the stage
// names, and no other; FALSE (NONE_NAMED) when it names none; as `programmed`
// otherwise: nodes may still present what was named before.
domain::Condition ClientCertificateCondition(
    const domain::Stage& stage, const domain::Condition& programmed);

}  // namespace sallyport::service

#endif  // SALLYPORT_CONFIG_SERVICE_SERVICE_PROGRAMMED_H_
