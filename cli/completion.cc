#include "cli/completion.h"

#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "cli/options.h"

namespace sallyport::cli {
namespace {

// What can stand in a place of the command line.
struct Value {
  enum class Kind { kNone, kAny, kFile, kChoice } kind = Kind::kNone;
  std::vector<std::string> choices;
};

struct OptionNode {
  std::vector<std::string> names;  // "-h", "--help"
  std::string description;
  Value value;  // kNone for a flag
};

// A command, flattened. `route` is the words that lead to it, each after a
// slash: "" for the program itself, "/truststore/check".
struct CommandNode {
  std::string route;
  struct Child {
    std::string name;
    std::string description;
  };
  std::vector<Child> children;
  std::vector<OptionNode> options;
  Value positional;
};

Value ValueOf(const CLI::Option& option) {
  Value value;
  if (option.get_items_expected_max() == 0) return value;  // a flag
  const std::string type = option.get_type_name();
  if (type == kFileType) {
    value.kind = Value::Kind::kFile;
  } else if (type.find('|') != std::string::npos) {
    value.kind = Value::Kind::kChoice;
    value.choices = absl::StrSplit(type, '|');
  } else {
    value.kind = Value::Kind::kAny;
  }
  return value;
}

// Descriptions are our own text; one line of them is enough here.
std::string OneLine(const std::string& description) {
  return absl::StrReplaceAll(description, {{"\n", " "}});
}

void Flatten(const CLI::App& app, const std::string& route,
             std::vector<CommandNode>& nodes) {
  CommandNode node;
  node.route = route;
  for (const CLI::Option* option :
       app.get_options([](const CLI::Option*) { return true; })) {
    if (option->get_positional()) {
      node.positional = ValueOf(*option);
      continue;
    }
    OptionNode entry;
    for (const std::string& name : option->get_snames()) {
      entry.names.push_back("-" + name);
    }
    for (const std::string& name : option->get_lnames()) {
      entry.names.push_back("--" + name);
    }
    entry.description = OneLine(option->get_description());
    entry.value = ValueOf(*option);
    node.options.push_back(std::move(entry));
  }
  const std::vector<const CLI::App*> children =
      app.get_subcommands([](const CLI::App*) { return true; });
  for (const CLI::App* child : children) {
    node.children.push_back(
        {child->get_name(), OneLine(child->get_description())});
  }
  nodes.push_back(std::move(node));
  for (const CLI::App* child : children) {
    Flatten(*child, absl::StrCat(route, "/", child->get_name()), nodes);
  }
}

// 'text' for a POSIX-like shell, and for fish.
std::string Quote(absl::string_view text) {
  return absl::StrCat("'", absl::StrReplaceAll(text, {{"'", "'\\''"}}), "'");
}
std::string QuoteFish(absl::string_view text) {
  return absl::StrCat(
      "'", absl::StrReplaceAll(text, {{"\\", "\\\\"}, {"'", "\\'"}}), "'");
}

std::string Words(const std::vector<std::string>& words) {
  return absl::StrJoin(words, " ");
}

// The `case` lines that follow the words of the command line down the tree.
std::string RouteCases(const std::vector<CommandNode>& nodes,
                       absl::string_view indent) {
  std::string text;
  for (const CommandNode& node : nodes) {
    if (node.route.empty()) continue;
    absl::StrAppend(&text, indent, node.route, ") route=", node.route, " ;;\n");
  }
  return text;
}

std::string Bash(const std::vector<CommandNode>& nodes) {
  std::string text =
      "# Completion of sallyportctl for bash. To use it now:\n"
      "#   source <(sallyportctl completion bash)\n"
      "# and always: put the line into ~/.bashrc.\n"
      "\n"
      "_sallyportctl() {\n"
      "  local current=${COMP_WORDS[COMP_CWORD]}\n"
      "  local previous=${COMP_WORDS[COMP_CWORD-1]}\n"
      "  local route='' words='' files='' i\n"
      "  COMPREPLY=()\n"
      "  for ((i = 1; i < COMP_CWORD; i++)); do\n"
      "    case \"$route/${COMP_WORDS[i]}\" in\n";
  absl::StrAppend(&text, RouteCases(nodes, "      "),
                  "    esac\n"
                  "  done\n"
                  "  case \"$route $previous\" in\n");
  for (const CommandNode& node : nodes) {
    for (const OptionNode& option : node.options) {
      if (option.value.kind == Value::Kind::kNone) continue;
      std::vector<std::string> patterns;
      for (const std::string& name : option.names) {
        patterns.push_back(absl::StrCat("'", node.route, " ", name, "'"));
      }
      absl::StrAppend(&text, "    ", absl::StrJoin(patterns, "|"), ") ");
      switch (option.value.kind) {
        case Value::Kind::kFile:
          text += "files=1";
          break;
        case Value::Kind::kChoice:
          absl::StrAppend(&text, "words=", Quote(Words(option.value.choices)));
          break;
        default:
          text += "return";
          break;
      }
      text += " ;;\n";
    }
  }
  text +=
      "    *)\n"
      "      case \"$route\" in\n";
  for (const CommandNode& node : nodes) {
    std::vector<std::string> words;
    for (const CommandNode::Child& child : node.children) {
      words.push_back(child.name);
    }
    words.insert(words.end(), node.positional.choices.begin(),
                 node.positional.choices.end());
    for (const OptionNode& option : node.options) {
      words.insert(words.end(), option.names.begin(), option.names.end());
    }
    absl::StrAppend(&text, "        '", node.route,
                    "') words=", Quote(Words(words)));
    if (node.positional.kind == Value::Kind::kFile) text += "; files=1";
    text += " ;;\n";
  }
  text +=
      "      esac\n"
      "      ;;\n"
      "  esac\n"
      "  case \"$current\" in -*) files='' ;; esac\n"
      "  if [ -n \"$files\" ]; then\n"
      "    compopt -o filenames 2>/dev/null\n"
      "    mapfile -t COMPREPLY < <(compgen -f -- \"$current\")\n"
      "  else\n"
      "    mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$current\")\n"
      "  fi\n"
      "}\n"
      "complete -F _sallyportctl sallyportctl\n";
  return text;
}

// Text inside a specification of _arguments.
std::string ZshEscape(absl::string_view text) {
  return absl::StrReplaceAll(
      text, {{"\\", "\\\\"}, {"[", "\\["}, {"]", "\\]"}, {":", "\\:"}});
}

std::string ZshAction(const Value& value) {
  switch (value.kind) {
    case Value::Kind::kFile:
      return "_files";
    case Value::Kind::kChoice:
      return absl::StrCat("(", Words(value.choices), ")");
    default:
      return " ";
  }
}

std::string Zsh(const std::vector<CommandNode>& nodes) {
  std::string text =
      "#compdef sallyportctl\n"
      "# Completion of sallyportctl for zsh. To use it now:\n"
      "#   source <(sallyportctl completion zsh)\n"
      "# and always: write it to a file named _sallyportctl in a folder of "
      "$fpath.\n"
      "\n"
      "_sallyportctl() {\n"
      "  local route='' i depth=1\n"
      "  for ((i = 2; i < CURRENT; i++)); do\n"
      "    case \"$route/${words[i]}\" in\n";
  for (const CommandNode& node : nodes) {
    if (node.route.empty()) continue;
    absl::StrAppend(&text, "      ", node.route, ") route=", node.route,
                    "; depth=$i ;;\n");
  }
  text +=
      "    esac\n"
      "  done\n"
      "  shift $((depth - 1)) words\n"
      "  CURRENT=$((CURRENT - depth + 1))\n"
      "  case \"$route\" in\n";
  for (const CommandNode& node : nodes) {
    absl::StrAppend(&text, "    '", node.route, "')\n");
    if (!node.children.empty()) {
      text += "      local -a commands=(\n";
      for (const CommandNode::Child& child : node.children) {
        absl::StrAppend(
            &text, "        ",
            Quote(absl::StrCat(ZshEscape(child.name), ":", child.description)),
            "\n");
      }
      text += "      )\n";
    }
    text += "      _arguments";
    for (const OptionNode& option : node.options) {
      for (const std::string& name : option.names) {
        std::string spec =
            absl::StrCat(name, "[", ZshEscape(option.description), "]");
        if (option.value.kind != Value::Kind::kNone) {
          absl::StrAppend(&spec, ":value:", ZshAction(option.value));
        }
        absl::StrAppend(&text, " \\\n        ", Quote(spec));
      }
    }
    if (!node.children.empty()) {
      absl::StrAppend(&text, " \\\n        ",
                      Quote("1:command:{_describe command commands}"));
    } else if (node.positional.kind != Value::Kind::kNone) {
      absl::StrAppend(&text, " \\\n        ",
                      Quote("1:argument:" + ZshAction(node.positional)));
    }
    text += "\n      ;;\n";
  }
  text +=
      "  esac\n"
      "}\n"
      "\n"
      "if [ \"${funcstack[1]}\" = _sallyportctl ]; then\n"
      "  _sallyportctl \"$@\"\n"
      "else\n"
      "  compdef _sallyportctl sallyportctl\n"
      "fi\n";
  return text;
}

std::string Fish(const std::vector<CommandNode>& nodes) {
  std::string text =
      "# Completion of sallyportctl for fish. To use it now:\n"
      "#   sallyportctl completion fish | source\n"
      "# and always: write it to "
      "~/.config/fish/completions/sallyportctl.fish.\n"
      "\n"
      "function __sallyportctl_route_is\n"
      "  set -l route ''\n"
      "  for word in (commandline -opc)[2..-1]\n"
      "    switch \"$route/$word\"\n"
      "      case";
  for (const CommandNode& node : nodes) {
    if (!node.route.empty()) absl::StrAppend(&text, " ", node.route);
  }
  text +=
      "\n"
      "        set route \"$route/$word\"\n"
      "    end\n"
      "  end\n"
      "  test \"$route\" = \"$argv[1]\"\n"
      "end\n"
      "\n"
      "complete -c sallyportctl -f\n";
  for (const CommandNode& node : nodes) {
    const std::string start =
        absl::StrCat("complete -c sallyportctl -n ",
                     QuoteFish(absl::StrCat("__sallyportctl_route_is \"",
                                            node.route, "\"")));
    for (const CommandNode::Child& child : node.children) {
      absl::StrAppend(&text, start, " -a ", child.name, " -d ",
                      QuoteFish(child.description), "\n");
    }
    if (node.positional.kind == Value::Kind::kFile) {
      absl::StrAppend(&text, start, " -F\n");
    } else if (node.positional.kind == Value::Kind::kChoice) {
      absl::StrAppend(&text, start, " -a ",
                      QuoteFish(Words(node.positional.choices)), "\n");
    }
    for (const OptionNode& option : node.options) {
      text += start;
      for (const std::string& name : option.names) {
        absl::string_view bare = name;
        const bool is_long = absl::ConsumePrefix(&bare, "--");
        if (!is_long) absl::ConsumePrefix(&bare, "-");
        absl::StrAppend(&text, is_long ? " -l " : " -s ", bare);
      }
      switch (option.value.kind) {
        case Value::Kind::kNone:
          break;
        case Value::Kind::kAny:
          text += " -x";
          break;
        case Value::Kind::kFile:
          text += " -r -F";
          break;
        case Value::Kind::kChoice:
          absl::StrAppend(&text, " -x -a ",
                          QuoteFish(Words(option.value.choices)));
          break;
      }
      absl::StrAppend(&text, " -d ", QuoteFish(option.description), "\n");
    }
  }
  return text;
}

}  // namespace

std::string CompletionScript(const CLI::App& app, Shell shell) {
  std::vector<CommandNode> nodes;
  Flatten(app, "", nodes);
  switch (shell) {
    case Shell::kBash:
      return Bash(nodes);
    case Shell::kZsh:
      return Zsh(nodes);
    case Shell::kFish:
      return Fish(nodes);
  }
  return "";
}

void AddCompletionCommand(CLI::App& app, Command& selected) {
  CLI::App* completion =
      app.add_subcommand("completion", "Print a completion script for a shell");
  auto shell = std::make_shared<Shell>(Shell::kBash);
  AddChoiceOption<Shell>(
      *completion, "SHELL", shell.get(),
      {{"bash", Shell::kBash}, {"zsh", Shell::kZsh}, {"fish", Shell::kFish}},
      "bash, zsh or fish")
      ->required()
      ->option_text("(required)");
  completion->footer(
      "Examples:\n"
      "  source <(sallyportctl completion bash)\n"
      "  sallyportctl completion zsh > ~/.zsh/completions/_sallyportctl\n"
      "  sallyportctl completion fish > "
      "~/.config/fish/completions/sallyportctl.fish\n"
      "\n"
      "Exit codes: 0 done; 2 wrong usage.");
  completion->callback([shell, &app, &selected] {
    selected = [shell, &app](Context& context) {
      context.out << CompletionScript(app, *shell);
      return ExitCode::kOk;
    };
  });
}

}  // namespace sallyport::cli
