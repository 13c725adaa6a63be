#include "cli/program.h"

#include <sstream>

#include <boost/json.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/api_client.h"
#include "cli/command_tree.h"
#include "cli/completion.h"
#include "cli/proxy_token.h"

namespace towline::cli {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class ProgramTest : public testing::Test {
 protected:
  int run(std::vector<const char*> arguments) {
    arguments.insert(arguments.begin(), "towline");
    return program_.run(static_cast<int>(arguments.size()), arguments.data());
  }
  FakeClock clock_;
  std::istringstream input_;
  std::ostringstream output_;
  std::ostringstream errors_;
  Program program_{Environment(Environment::Variables{{"HOME", "/nowhere"}}), clock_, input_, output_,
                   errors_};
};

TEST_F(ProgramTest, TellsItsVersion) {
  EXPECT_EQ(run({"version"}), 0);
  EXPECT_EQ(output_.str(), "towline " TOWLINE_VERSION "\n");
}

TEST_F(ProgramTest, NamesWhatItDoesNotKnow) {
  EXPECT_EQ(run({"cluster", "agnet"}), 2);
  EXPECT_THAT(errors_.str(), AllOf(HasSubstr("agnet"), HasSubstr("towline cluster --help")));
}

TEST_F(ProgramTest, NamesWhatIsMissing) {
  EXPECT_EQ(run({"cluster", "agent", "update-kubeconfig"}), 2);
  EXPECT_THAT(errors_.str(), AllOf(HasSubstr("--agent"), HasSubstr("update-kubeconfig --help")));
}

TEST_F(ProgramTest, NamesTheValueThatIsNotOneOfAFew) {
  EXPECT_EQ(run({"project", "list", "-o", "xml"}), 2);
  EXPECT_THAT(errors_.str(), AllOf(HasSubstr("xml"), HasSubstr("json")));
}

TEST_F(ProgramTest, AnAgentsNumberIsANumber) {
  for (const char* wrong : {"demo", "0", "-1", "1.5", "99999999999999999999", ""}) {
    EXPECT_EQ(run({"cluster", "agent", "get-token", "--agent", wrong}), 2) << wrong;
  }
  EXPECT_THAT(errors_.str(), HasSubstr("\"demo\" is not a number"));
}

TEST_F(ProgramTest, WithoutALoginItEndsWithThree) {
  EXPECT_EQ(run({"project", "list"}), 3);
  EXPECT_THAT(errors_.str(), HasSubstr("towline login"));
}

TEST_F(ProgramTest, EveryCommandExplainsItself) {
  const CommandInfo root = command_tree(program_.app());
  for (const CommandInfo* command : all_commands(root)) {
    EXPECT_FALSE(command->description.empty()) << command->path;
    for (const OptionInfo& option : command->options) {
      EXPECT_FALSE(option.description.empty()) << command->path << " " << option.names.front();
      EXPECT_EQ(option.names.front() == "-h", !option.takes_value && option.names.back() == "--help");
    }
  }
}

TEST_F(ProgramTest, CompletionNamesEveryCommandAndFlag) {
  const CommandInfo root = command_tree(program_.app());
  const std::string bash = bash_completion(program_.app());
  const std::string zsh = zsh_completion(program_.app());
  const std::string fish = fish_completion(program_.app());
  for (const CommandInfo* command : all_commands(root)) {
    for (const std::string* script : {&bash, &zsh, &fish}) EXPECT_THAT(*script, HasSubstr(command->path));
    for (const OptionInfo& option : command->options) {
      const std::string& name = option.names.back();
      EXPECT_THAT(bash, HasSubstr(name)) << command->path;
      EXPECT_THAT(zsh, HasSubstr("'" + name + ":")) << command->path;
      EXPECT_THAT(fish, HasSubstr("-l " + name.substr(2))) << command->path;
    }
  }
}

TEST_F(ProgramTest, TheTreeKnowsValuesAndFiles) {
  const CommandInfo root = command_tree(program_.app());
  const auto option = [&](const std::string& path, const std::string& name) {
    for (const CommandInfo* command : all_commands(root)) {
      for (const OptionInfo& each : command->options) {
        if (command->path == path && each.names.back() == name) return each;
      }
    }
    return OptionInfo{};
  };
  EXPECT_THAT(option("towline project list", "--output").values, testing::ElementsAre("table", "json"));
  EXPECT_TRUE(option("towline login", "--ca-file").is_file);
  EXPECT_TRUE(option("towline login", "--url").takes_value);
  EXPECT_FALSE(option("towline login", "--token-stdin").takes_value);
}

TEST(ExitCodes, TellFailuresApart) {
  EXPECT_EQ(exit_code({}), 0);
  EXPECT_EQ(exit_code({Code::kUnavailable, ""}), 1);
  EXPECT_EQ(exit_code({Code::kInvalidArgument, ""}), 2);
  EXPECT_EQ(exit_code({Code::kUnauthenticated, ""}), 3);
  EXPECT_EQ(exit_code({Code::kPermissionDenied, ""}), 4);
  EXPECT_EQ(exit_code({Code::kNotFound, ""}), 5);
}

TEST(ErrorText, IsWhatTheBodySays) {
  EXPECT_EQ(error_text(R"({"message": "404 Project Not Found"})"), "404 Project Not Found");
  EXPECT_EQ(error_text(R"({"error": "name is missing"})"), "name is missing");
  EXPECT_EQ(error_text(R"({"error": "x", "error_description": "better"})"), "better");
  EXPECT_EQ(error_text(R"({"message": {"name": ["is taken", "is short"]}})"), "name is taken, is short");
  EXPECT_EQ(error_text("<html>"), "");
}

TEST(OutputTest, ColumnsAreAsWideAsTheirWidestCell) {
  std::ostringstream results;
  Output output(results, results);
  output.table({"ID", "NAME", "X"}, {{"1", "ä", "x"}, {"22", "longer", ""}});
  EXPECT_EQ(results.str(), "ID  NAME    X\n1   ä       x\n22  longer  -\n");
}

TEST(OutputTest, NothingMovesTheCursor) {
  EXPECT_EQ(printable("a\x1b[2Jb\nc\x7f"), "a?[2Jb?c?");
  EXPECT_EQ(printable("a\nb\tc", true), "a\nb?c");
  EXPECT_EQ(printable("\xC2\x9B"
                      "1m ä"),
            "?1m ä");
  EXPECT_EQ(printable("\xE2\x80\xAE"
                      "abc caf\xE9"),
            "?abc caf?");
}

TEST(ProxyTokenTest, EndsWithTheDayAndLivesForMinutes) {
  const auto at = [](int hours, int minutes) {
    return Clock::WallTime(std::chrono::sys_days(std::chrono::year(2026) / 12 / 31)) +
           std::chrono::hours(hours) + std::chrono::minutes(minutes);
  };
  EXPECT_EQ(expiry_date(at(0, 0)), "2027-01-01");
  EXPECT_EQ(expiry_date(at(23, 54)), "2027-01-01");
  EXPECT_EQ(expiry_date(at(23, 56)), "2027-01-02");
  EXPECT_EQ(rfc3339(at(9, 5)), "2026-12-31T09:05:00Z");
}

}  // namespace
}  // namespace towline::cli
