#include "cli/online/app.h"

#include <cstdlib>
#include <set>
#include <sstream>
#include <string>

#include "base/clock.h"
#include "cli/online_commands.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace sallyport::cli::online {
namespace {

using ::testing::HasSubstr;

struct Outcome {
  ExitCode code;
  std::string out;
  std::string err;
};

Outcome RunArgs(const std::vector<std::string>& args) {
  std::istringstream in;
  std::ostringstream out;
  std::ostringstream err;
  Context context{in, out, err, Clock::System()};
  const ExitCode code = RunOnline(args, context);
  return {code, out.str(), err.str()};
}

TEST(OnlineApp, HasTheCommandsThatSallyportctlHandsOn) {
  CLI::App app;
  Command selected;
  AddCommands(app, selected);
  std::set<std::string> here;
  for (const CLI::App* command :
       app.get_subcommands([](CLI::App*) { return true; })) {
    here.insert(command->get_name());
  }
  std::set<std::string> there;
  for (const OnlineCommand& command : kOnlineCommands) {
    there.insert(command.name);
  }
  EXPECT_EQ(here, there);
}

TEST(OnlineApp, LetsTheCommandLineWinOverTheEnvironment) {
  // Nobody listens at either.
  ASSERT_EQ(setenv("SALLYPORT_ADDRESS", "127.0.0.1:2", 1), 0);
  EXPECT_THAT(RunArgs({"list", "truststores", "--timeout", "5"}).err,
              HasSubstr("127.0.0.1:2:"));
  EXPECT_THAT(RunArgs({"list", "truststores", "--timeout", "5", "--address",
                       "127.0.0.1:1"})
                  .err,
              HasSubstr("127.0.0.1:1:"));
  ASSERT_EQ(unsetenv("SALLYPORT_ADDRESS"), 0);
}

TEST(OnlineApp, SaysHowItIsUsed) {
  EXPECT_EQ(RunArgs({"--help"}).code, ExitCode::kOk);
  EXPECT_THAT(RunArgs({"create", "--help"}).out, HasSubstr("--validate-only"));
  EXPECT_EQ(RunArgs({"--version"}).code, ExitCode::kOk);
  EXPECT_THAT(RunArgs({"--version"}).out, HasSubstr("sallyportctl 0."));
  for (const std::vector<std::string>& args :
       std::vector<std::vector<std::string>>{
           {}, {"nothing"}, {"get"}, {"token", "a", "god"}}) {
    const Outcome outcome = RunArgs(args);
    EXPECT_EQ(outcome.code, ExitCode::kError);
    EXPECT_THAT(outcome.err, HasSubstr("--help' for usage"));
  }
}

TEST(OnlineApp, RefusesWhatMakesNoSenseBeforeItAsks) {
  for (const std::vector<std::string>& args :
       std::vector<std::vector<std::string>>{
           {"get", "nothing/x"},
           {"get", "truststores"},
           {"list", "truststores/a"},
           {"update", "truststores/a"},
           {"create", "clientCertificates/a"},
           {"create", "truststores/a", "--set", "nothing=1"},
           {"create", "truststores/a", "--set", "x"},
           {"create", "truststores/a", "--set", "labels=[a"},
           {"create", "apis/a/deployments/d"},
           {"activate", "apis/a"},
           {"diff"},
           {"apply", "-f", "/no/such/file"},
           {"call", "Truststores/ReadTruststoreVersion"},
           {"bootstrap", "a/b"},
           {"token", "a b", "viewer"},
           {"list", "truststores", "--address", "example.com:1"}}) {
    const Outcome outcome = RunArgs(args);
    EXPECT_EQ(outcome.code, ExitCode::kError) << args[0];
    EXPECT_THAT(outcome.err, HasSubstr("sallyportctl: ")) << args[0];
    EXPECT_EQ(outcome.out, "");
  }
}

TEST(OnlineApp, MakesTokensThatAreNeverTheSame) {
  const Outcome a = RunArgs({"token", "ci", "operator"});
  EXPECT_EQ(a.code, ExitCode::kOk);
  EXPECT_EQ(a.out.size(), 44u);
  EXPECT_THAT(a.err, HasSubstr("token ci operator "));
  EXPECT_NE(a.out, RunArgs({"token", "ci", "operator"}).out);
}

}  // namespace
}  // namespace sallyport::cli::online
