#include "control/graphql/parser.h"

#include <optional>

#include "control/graphql/lexer.h"
#include "control/utf8.h"

namespace towline::control::graphql {
namespace {

using Kind = Token::Kind;

// The first problem is kept, and the tokens end there, so that everything under way ends too.
class Parser {
 public:
  Parser(std::string_view text, const Limits& limits) : lexer_(text), limits_(limits) { advance(); }

  Checked<Document> document() {
    Document document;
    while (!at_end()) definition(document);
    if (problem_) return std::unexpected(std::move(*problem_));
    if (document.operations.empty())
      return std::unexpected(Problem{.message = "The request has no operation"});
    return document;
  }

 private:
  bool at_end() const { return token_.kind == Kind::kEnd; }
  bool is(std::string_view punctuator) const {
    return token_.kind == Kind::kPunctuator && token_.text == punctuator;
  }
  bool is_word(std::string_view word) const { return token_.kind == Kind::kName && token_.text == word; }

  void refuse(Problem problem) {
    if (!problem_) problem_ = std::move(problem);
    token_ = {.at = token_.at};
  }
  void refuse(const std::string& message) {
    refuse(Problem{.message = "Syntax error: " + message, .locations = {token_.at}});
  }
  void unexpected(std::string_view wanted) {
    const std::string found = at_end() ? "the end of the text" : "\"" + token_.text.substr(0, 50) + "\"";
    refuse("expected " + std::string(wanted) + ", found " + found);
  }

  void advance() {
    if (problem_) return;
    if (++tokens_ > limits_.tokens) {
      return refuse("the request has more than " + std::to_string(limits_.tokens) + " tokens");
    }
    auto next = lexer_.next();
    if (!next) return refuse(std::move(next.error()));
    token_ = std::move(*next);
  }
  bool take(std::string_view punctuator) {
    if (!is(punctuator)) return false;
    advance();
    return true;
  }
  void expect(std::string_view punctuator) {
    if (!take(punctuator)) unexpected("\"" + std::string(punctuator) + "\"");
  }
  std::string name(std::string_view what) {
    if (token_.kind != Kind::kName) {
      unexpected(what);
      return "";
    }
    std::string text = std::move(token_.text);
    advance();
    return text;
  }

  // Counts what stands in one another while it lives, because each level takes its part of the stack.
  class Level {
   public:
    explicit Level(Parser& parser) : parser_(parser) {
      if (++parser_.nesting_ > parser_.limits_.nesting) {
        parser_.refuse("more than " + std::to_string(parser_.limits_.nesting) + " levels in one another");
      }
    }
    ~Level() { --parser_.nesting_; }
    Level(const Level&) = delete;
    Level& operator=(const Level&) = delete;

   private:
    Parser& parser_;
  };

  void definition(Document& document) {
    if (is("{")) {
      Operation operation{.at = token_.at};
      operation.selections = selection_set();
      document.operations.push_back(std::move(operation));
    } else if (is_word("query") || is_word("mutation")) {
      document.operations.push_back(operation());
    } else if (is_word("fragment")) {
      document.fragments.push_back(fragment());
      if (document.fragments.size() > limits_.fragments) {
        refuse("the request has more than " + std::to_string(limits_.fragments) + " fragments");
      }
    } else if (is_word("subscription")) {
      refuse("subscriptions are not supported");
    } else {
      unexpected("a query, a mutation or a fragment");
    }
  }

  Operation operation() {
    Operation operation{.mutation = token_.text == "mutation", .at = token_.at};
    advance();
    if (token_.kind == Kind::kName) operation.name = name("a name");
    if (take("(")) {
      do {
        operation.variables.push_back(variable());
      } while (!is(")") && !at_end());
      expect(")");
    }
    operation.directives = directives();
    operation.selections = selection_set();
    return operation;
  }

  Fragment fragment() {
    Fragment fragment{.at = token_.at};
    advance();
    if (is_word("on")) unexpected("the name of the fragment");
    fragment.name = name("the name of the fragment");
    if (!is_word("on")) unexpected("\"on\"");
    advance();
    fragment.condition = name("the name of a type");
    fragment.directives = directives();
    fragment.selections = selection_set();
    return fragment;
  }

  Variable variable() {
    Variable variable{.at = token_.at};
    expect("$");
    variable.name = name("the name of a variable");
    expect(":");
    variable.type = type();
    if (take("=")) variable.otherwise = value(true);
    variable.directives = directives(true);
    return variable;
  }

  TypeRef type() {
    const Level level(*this);
    TypeRef made;
    if (take("[")) {
      made = type().list();
      expect("]");
    } else {
      made = TypeRef::named(name("the name of a type"));
    }
    return take("!") ? made.non_null() : made;
  }

  std::vector<Selection> selection_set() {
    const Level level(*this);
    std::vector<Selection> selections;
    expect("{");
    if (is("}")) unexpected("a field");
    while (!is("}") && !at_end()) selections.push_back(selection());
    expect("}");
    return selections;
  }

  Selection selection() {
    Selection made{.at = token_.at};
    if (take("...")) return fragment_use(std::move(made));
    made.name = name("the name of a field");
    if (take(":")) {
      made.alias = std::move(made.name);
      made.name = name("the name of a field");
    }
    made.arguments = arguments();
    made.directives = directives();
    if (is("{")) made.selections = selection_set();
    return made;
  }

  Selection fragment_use(Selection made) {
    if (token_.kind == Kind::kName && !is_word("on")) {
      made.kind = Selection::Kind::kSpread;
      made.name = name("the name of a fragment");
      made.directives = directives();
      return made;
    }
    made.kind = Selection::Kind::kInline;
    if (is_word("on")) {
      advance();
      made.condition = name("the name of a type");
    }
    made.directives = directives();
    made.selections = selection_set();
    return made;
  }

  Argument argument(bool constant) {
    Argument made{.at = token_.at};
    made.name = name("the name of an argument");
    expect(":");
    made.value = value(constant);
    return made;
  }

  std::vector<Argument> arguments(bool constant = false) {
    std::vector<Argument> all;
    if (!take("(")) return all;
    if (is(")")) unexpected("the name of an argument");
    while (!is(")") && !at_end()) all.push_back(argument(constant));
    expect(")");
    return all;
  }

  std::vector<Directive> directives(bool constant = false) {
    std::vector<Directive> all;
    while (is("@")) {
      Directive made{.at = token_.at};
      advance();
      made.name = name("the name of a directive");
      made.arguments = arguments(constant);
      all.push_back(std::move(made));
    }
    return all;
  }

  // `constant`: variables are out of place.
  Literal value(bool constant) {
    const Level level(*this);
    Literal made{.at = token_.at};
    if (is("[") || is("{")) return composite(std::move(made), constant);
    if (is("$") && !constant) {
      advance();
      made.kind = Literal::Kind::kVariable;
      made.text = name("the name of a variable");
      return made;
    }
    switch (token_.kind) {
      case Kind::kInt:
        made.kind = Literal::Kind::kInt;
        break;
      case Kind::kFloat:
        made.kind = Literal::Kind::kFloat;
        break;
      case Kind::kString:
        made.kind = Literal::Kind::kString;
        break;
      case Kind::kName:
        made.kind = is_word("true") || is_word("false") ? Literal::Kind::kBoolean
                    : is_word("null")                   ? Literal::Kind::kNull
                                                        : Literal::Kind::kEnum;
        break;
      default:
        unexpected("a value");
        return made;
    }
    made.text = std::move(token_.text);
    advance();
    return made;
  }

  Literal composite(Literal made, bool constant) {
    const bool list = is("[");
    const std::string_view close = list ? "]" : "}";
    made.kind = list ? Literal::Kind::kList : Literal::Kind::kObject;
    advance();
    while (!is(close) && !at_end()) {
      if (list) {
        made.items.push_back(value(constant));
      } else {
        made.fields.push_back(argument(constant));
      }
    }
    expect(close);
    return made;
  }

  Lexer lexer_;
  const Limits& limits_;
  Token token_;
  std::optional<Problem> problem_;
  std::size_t tokens_ = 0;
  int nesting_ = 0;
};

}  // namespace

Checked<Document> parse(std::string_view text, const Limits& limits) {
  if (text.size() > limits.text) {
    return std::unexpected(
        Problem{.message = "The request is longer than " + std::to_string(limits.text) + " bytes"});
  }
  if (!is_utf8(text)) return std::unexpected(Problem{.message = "The request is not UTF-8"});
  return Parser(text, limits).document();
}

}  // namespace towline::control::graphql
