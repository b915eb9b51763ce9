#include "config_service/xds/server/request.h"

#include <string>
#include <utility>
#include <vector>

#include "envoy/service/discovery/v3/discovery.pb.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace sallyport::xds {
namespace {

using envoy::service::discovery::v3::DeltaDiscoveryRequest;
using envoy::service::discovery::v3::DiscoveryRequest;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

TEST(ParseDeltaRequest, ReadsWhatItNeeds) {
  DeltaDiscoveryRequest message;
  message.mutable_node()->set_id("id");
  message.mutable_node()->set_cluster("cluster");
  message.mutable_node()->set_user_agent_name("envoy");
  auto* build = message.mutable_node()->mutable_user_agent_build_version();
  build->mutable_version()->set_major_number(1);
  build->mutable_version()->set_minor_number(40);
  (*build->mutable_metadata()->mutable_fields())["ssl"].set_string_value("b");
  for (int i = 0; i < 100; ++i) {
    message.mutable_node()->add_extensions()->set_name("extension");
  }
  message.set_type_url("type");
  message.add_resource_names_subscribe("a");
  message.add_resource_names_subscribe("");
  message.add_resource_names_unsubscribe("b");
  (*message.mutable_initial_resource_versions())["c"] = "1";
  message.set_response_nonce("7");
  message.mutable_error_detail()->set_code(13);
  message.mutable_error_detail()->set_message("no");
  message.add_resource_locators_subscribe()->set_name("not read");

  const std::string bytes = message.SerializeAsString();
  const auto request = ParseDeltaRequest(bytes);
  ASSERT_TRUE(request.ok()) << request.status();
  EXPECT_TRUE(request->has_node);
  EXPECT_EQ(request->node.id, "id");
  EXPECT_EQ(request->node.cluster, "cluster");
  EXPECT_EQ(request->node.user_agent_name, "envoy");
  EXPECT_EQ(request->node.user_agent_version, "1.40.0");
  EXPECT_EQ(request->type_url, "type");
  EXPECT_THAT(request->subscribe, ElementsAre("a", ""));
  EXPECT_THAT(request->unsubscribe, ElementsAre("b"));
  EXPECT_THAT(request->versions, ElementsAre(Pair("c", "1")));
  EXPECT_EQ(request->nonce, "7");
  EXPECT_TRUE(request->refused);
  EXPECT_EQ(request->error_message, "no");
}

TEST(ParseSotwRequest, ReadsWhatItNeeds) {
  DiscoveryRequest message;
  message.mutable_node()->set_id("id");
  message.mutable_node()->set_user_agent_version("2");
  message.set_version_info("v");
  message.add_resource_names("a");
  message.add_resource_names("b");
  message.set_type_url("type");
  message.set_response_nonce("7");
  const std::string bytes = message.SerializeAsString();
  const auto request = ParseSotwRequest(bytes);
  ASSERT_TRUE(request.ok()) << request.status();
  EXPECT_EQ(request->node.id, "id");
  EXPECT_EQ(request->node.user_agent_version, "2");
  EXPECT_EQ(request->version_info, "v");
  EXPECT_THAT(request->names, ElementsAre("a", "b"));
  EXPECT_EQ(request->type_url, "type");
  EXPECT_EQ(request->nonce, "7");
  EXPECT_FALSE(request->refused);
}

TEST(ParseDeltaRequest, TakesAnEmptyMessage) {
  const auto request = ParseDeltaRequest("");
  ASSERT_TRUE(request.ok());
  EXPECT_FALSE(request->has_node);
  EXPECT_EQ(request->type_url, "");
  EXPECT_THAT(request->subscribe, IsEmpty());
}

TEST(ParseDeltaRequest, RefusesWhatIsCutOff) {
  DeltaDiscoveryRequest message;
  message.mutable_node()->set_id("id");
  message.set_type_url("type");
  (*message.mutable_initial_resource_versions())["c"] = "1";
  const std::string bytes = message.SerializeAsString();
  int refused = 0;
  for (size_t size = 0; size < bytes.size(); ++size) {
    DeltaDiscoveryRequest cut;
    const bool good = cut.ParseFromArray(bytes.data(), static_cast<int>(size));
    const auto request = ParseDeltaRequest(bytes.substr(0, size));
    EXPECT_EQ(request.ok(), good) << size;
    if (!good) ++refused;
  }
  EXPECT_GT(refused, 10);
}

TEST(ParseDeltaRequest, RefusesWhatIsNoMessage) {
  for (const std::string& bytes : {
           std::string(1, '\0'),                // field 0
           std::string("\x02\x00", 2),          // field 0, with a length
           std::string("\x12\x7f", 2),          // longer than there is
           std::string("\x0a\x02\x0a\x05", 4),  // the same within the node
           std::string("\x12\xff\xff\xff\xff\x0f", 6),
           std::string("\x17", 1),  // no wire type 7
           std::string("\x0c", 1),  // the end of a group that never began
       }) {
    EXPECT_EQ(ParseDeltaRequest(bytes).status().code(),
              absl::StatusCode::kInvalidArgument);
  }
}

}  // namespace
}  // namespace sallyport::xds
