#include "control/graphql/lexer.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <vector>

namespace towline::control::graphql {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool starts_name(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool continues_name(char c) { return starts_name(c) || is_digit(c); }
bool is_source_character(char c) {
  return static_cast<unsigned char>(c) >= 0x20 || c == '\t' || c == '\n' || c == '\r';
}

std::string to_utf8(unsigned code) {
  const auto tail = [](unsigned bits) { return static_cast<char>(0x80 | (bits & 0x3F)); };
  if (code < 0x80) return {static_cast<char>(code)};
  if (code < 0x800) return {static_cast<char>(0xC0 | (code >> 6)), tail(code)};
  if (code < 0x10000) return {static_cast<char>(0xE0 | (code >> 12)), tail(code >> 6), tail(code)};
  return {static_cast<char>(0xF0 | (code >> 18)), tail(code >> 12), tail(code >> 6), tail(code)};
}

std::vector<std::string> lines_of(std::string_view text) {
  std::vector<std::string> lines(1);
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\r' && i + 1 < text.size() && text[i + 1] == '\n') continue;
    if (text[i] == '\n' || text[i] == '\r') {
      lines.emplace_back();
    } else {
      lines.back() += text[i];
    }
  }
  return lines;
}

// What all lines but the first share of white space is the indentation of the request, not of the text.
std::string without_indentation(std::string_view raw) {
  std::vector<std::string> lines = lines_of(raw);
  const auto indent = [](const std::string& line) { return line.find_first_not_of(" \t"); };
  std::size_t common = std::string::npos;
  for (std::size_t i = 1; i < lines.size(); ++i) common = std::min(common, indent(lines[i]));
  for (std::size_t i = 1; i < lines.size() && common != std::string::npos; ++i) lines[i].erase(0, common);
  const auto blank = [&](const std::string& line) { return indent(line) == std::string::npos; };
  while (!lines.empty() && blank(lines.back())) lines.pop_back();
  const auto first = std::find_if_not(lines.begin(), lines.end(), blank);
  std::string text;
  for (auto line = first; line != lines.end(); ++line) text += (line == first ? "" : "\n") + *line;
  return text;
}

}  // namespace

char Lexer::take() {
  const char c = rest_.front();
  rest_.remove_prefix(1);
  const bool line_ends = c == '\n' || (c == '\r' && look() != '\n');
  if (line_ends) {
    at_ = {at_.line + 1, 1};
  } else if ((c & 0xC0) != 0x80) {  // a character counts once, with its first byte
    ++at_.column;
  }
  return c;
}

std::string Lexer::take_while(bool (*belongs)(char)) {
  std::string text;
  while (!at_end() && belongs(look())) text += take();
  return text;
}

void Lexer::skip_ignored() {
  while (!at_end()) {
    if (look() == '#') {
      take_while([](char c) { return c != '\n' && c != '\r'; });
    } else if (std::string_view(" \t\r\n,").find(look()) != std::string_view::npos) {
      take();
    } else {
      return;
    }
  }
}

std::unexpected<Problem> Lexer::refuse(std::string message) const {
  return std::unexpected(Problem{.message = "Syntax error: " + std::move(message), .locations = {at_}});
}

Checked<Token> Lexer::next() {
  skip_ignored();
  Token token{.at = at_};
  if (at_end()) return token;
  const char c = look();
  if (starts_name(c)) {
    token.kind = Token::Kind::kName;
    token.text = take_while(continues_name);
    return token;
  }
  if (is_digit(c) || c == '-') return number(std::move(token));
  if (rest_.starts_with(R"(""")")) return block_string(std::move(token));
  if (c == '"') return string(std::move(token));
  token.kind = Token::Kind::kPunctuator;
  if (rest_.starts_with("...")) {
    for (int i = 0; i < 3; ++i) token.text += take();
    return token;
  }
  if (std::string_view("!$&():=@[]{|}").find(c) == std::string_view::npos) {
    return refuse("unexpected character");
  }
  token.text = take();
  return token;
}

Checked<Token> Lexer::number(Token token) {
  token.kind = Token::Kind::kInt;
  if (look() == '-') token.text += take();
  const bool zero = look() == '0';
  const std::string whole = take_while(is_digit);
  if (whole.empty()) return refuse("a digit is missing");
  if (zero && whole.size() > 1) return refuse("a number must not begin with 0");
  token.text += whole;
  if (look() == '.') {
    token.kind = Token::Kind::kFloat;
    token.text += take();
    if (!is_digit(look())) return refuse("a digit is missing");
    token.text += take_while(is_digit);
  }
  if (look() == 'e' || look() == 'E') {
    token.kind = Token::Kind::kFloat;
    token.text += take();
    if (look() == '+' || look() == '-') token.text += take();
    if (!is_digit(look())) return refuse("a digit is missing");
    token.text += take_while(is_digit);
  }
  if (continues_name(look()) || look() == '.') return refuse("a number ends in something else");
  return token;
}

Checked<Token> Lexer::string(Token token) {
  token.kind = Token::Kind::kString;
  take();
  while (look() != '"') {
    if (at_end() || look() == '\n' || look() == '\r') return refuse("a string has no end");
    if (!is_source_character(look())) return refuse("a control character in a string");
    if (look() != '\\') {
      token.text += take();
      continue;
    }
    auto decoded = escape();
    if (!decoded) return std::unexpected(std::move(decoded.error()));
    token.text += *decoded;
  }
  take();
  return token;
}

Checked<unsigned> Lexer::code_unit() {
  unsigned code = 0;
  const std::string_view digits = rest_.substr(0, 4);
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), code, 16);
  if (digits.size() != 4 || error != std::errc() || end != digits.data() + 4) {
    return refuse("four hexadecimal digits must follow \\u");
  }
  for (int i = 0; i < 4; ++i) take();
  return code;
}

Checked<std::string> Lexer::escape() {
  take();
  constexpr std::string_view kNames = R"("\/bfnrt)";
  constexpr std::string_view kMeanings = "\"\\/\b\f\n\r\t";
  const auto known = at_end() ? std::string_view::npos : kNames.find(look());
  if (known != std::string_view::npos) {
    take();
    return std::string(1, kMeanings[known]);
  }
  if (look() != 'u') return refuse("an unknown escape in a string");
  take();
  auto code = code_unit();
  if (!code) return std::unexpected(std::move(code.error()));
  if (*code < 0xD800 || *code > 0xDFFF) return to_utf8(*code);
  if (*code > 0xDBFF || !rest_.starts_with("\\u")) return refuse("half a surrogate pair");
  take();
  take();
  auto low = code_unit();
  if (!low) return std::unexpected(std::move(low.error()));
  if (*low < 0xDC00 || *low > 0xDFFF) return refuse("half a surrogate pair");
  return to_utf8(0x10000 + ((*code - 0xD800) << 10) + (*low - 0xDC00));
}

Checked<Token> Lexer::block_string(Token token) {
  constexpr std::string_view kQuotes = R"(""")";
  constexpr std::string_view kEscaped = R"(\""")";
  token.kind = Token::Kind::kString;
  for (int i = 0; i < 3; ++i) take();
  while (!rest_.starts_with(kQuotes)) {
    if (at_end()) return refuse("a block string has no end");
    if (!is_source_character(look())) return refuse("a control character in a string");
    if (rest_.starts_with(kEscaped)) take();
    // Quotes that were escaped are taken as they are.
    const bool quotes = rest_.starts_with(kQuotes);
    for (int i = 0; i < (quotes ? 3 : 1); ++i) token.text += take();
  }
  for (int i = 0; i < 3; ++i) take();
  token.text = without_indentation(token.text);
  return token;
}

}  // namespace towline::control::graphql
