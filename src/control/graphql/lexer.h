#pragma once

#include <string>
#include <string_view>

#include "control/graphql/document.h"

namespace towline::control::graphql {

struct Token {
  enum class Kind { kEnd, kPunctuator, kName, kInt, kFloat, kString };
  Kind kind = Kind::kEnd;
  std::string text;  // of a string: decoded
  Location at;
};

/// Cuts the text of a request into tokens (specification of October 2021, section 2.1). The text must be
/// well-formed UTF-8 and outlive the lexer.
class Lexer {
 public:
  explicit Lexer(std::string_view text) : rest_(text) {
    constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
    if (rest_.starts_with(kByteOrderMark)) rest_.remove_prefix(kByteOrderMark.size());
  }

  /// The next token; kEnd at the end, again and again.
  Checked<Token> next();

 private:
  bool at_end() const { return rest_.empty(); }
  char look(std::size_t ahead = 0) const { return ahead < rest_.size() ? rest_[ahead] : '\0'; }
  char take();
  std::string take_while(bool (*belongs)(char));
  void skip_ignored();
  std::unexpected<Problem> refuse(std::string message) const;

  Checked<Token> number(Token token);
  Checked<Token> string(Token token);
  Checked<Token> block_string(Token token);
  Checked<std::string> escape();
  Checked<unsigned> code_unit();

  std::string_view rest_;
  Location at_;
};

}  // namespace towline::control::graphql
