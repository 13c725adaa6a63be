#include "kas/server_identity.h"

#include <filesystem>

#include "base/files.h"

namespace towline::kas {
namespace {

namespace fs = std::filesystem;

// Ten years for the CA is made in io; the server's own certificate is renewed at start.
constexpr std::chrono::hours kLifetime{24 * 397};
constexpr std::chrono::hours kMargin{24 * 30};

// What stands before a file's name in an error tells which flag has named it.
Result<io::TlsIdentity> load(const fs::path& certificate, const fs::path& key,
                             std::string_view certificate_flag = {}, std::string_view key_flag = {}) {
  const auto named = [](const Status& error, std::string_view flag) {
    return fail(error.code(), std::string(flag) + error.message());
  };
  Result<std::string> chain = read_file(certificate);
  if (!chain) return named(chain.error(), certificate_flag);
  Result<std::string> secret = read_file(key);
  if (!secret) return named(secret.error(), key_flag);
  return io::TlsIdentity{std::move(*chain), Secret(std::move(*secret))};
}

Status store(const io::TlsIdentity& identity, const fs::path& certificate, const fs::path& key) {
  if (Status status = replace_file(key, identity.private_key.reveal(), 0600); !status.ok()) return status;
  return replace_file(certificate, identity.certificate_chain, 0644);
}

Result<io::TlsIdentity> load_or_make_ca(const fs::path& folder) {
  if (fs::exists(folder / "ca.pem")) return load(folder / "ca.pem", folder / "ca.key");
  Result<io::TlsIdentity> ca = io::make_ca("Towline CA");
  if (!ca) return ca;
  if (Status status = store(*ca, folder / "ca.pem", folder / "ca.key"); !status.ok()) return fail(status);
  return ca;
}

Result<io::TlsIdentity> own_identity(const fs::path& folder, const std::string& host) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) return fail(Code::kInternal, "cannot make " + folder.string() + ": " + error.message());
  fs::permissions(folder, fs::perms::owner_all, error);
  Result<io::TlsIdentity> ca = load_or_make_ca(folder);
  if (!ca) return ca;
  std::vector<std::string> names = {"localhost", "127.0.0.1", "::1"};
  if (host != "localhost" && host != "127.0.0.1" && host != "::1") names.push_back(host);
  if (auto current = load(folder / "server.pem", folder / "server.key")) {
    if (io::certificate_covers(current->certificate_chain, names, kMargin)) return current;
  }
  Result<io::TlsIdentity> made = io::make_server_certificate(*ca, names, kLifetime);
  if (!made) return made;
  if (Status status = store(*made, folder / "server.pem", folder / "server.key"); !status.ok())
    return fail(status);
  return made;
}

// Of PEM text the certificates alone: a key beside them is not for everybody.
std::string certificates_of(std::string_view pem) {
  static constexpr std::string_view kBegin = "-----BEGIN CERTIFICATE-----";
  static constexpr std::string_view kEnd = "-----END CERTIFICATE-----";
  std::string found;
  for (auto begin = pem.find(kBegin); begin != std::string_view::npos; begin = pem.find(kBegin, begin + 1)) {
    const auto end = pem.find(kEnd, begin);
    if (end == std::string_view::npos) break;
    found.append(pem.substr(begin, end + kEnd.size() - begin)) += '\n';
  }
  return found;
}

Result<std::string> ca_of_file(const std::string& file) {
  Result<std::string> text = read_file(file);
  if (!text) return text;
  std::string certificates = certificates_of(*text);
  const auto usable = io::TlsClientContext::create({.ca = certificates});
  if (certificates.empty() || !usable)
    return fail(Code::kInvalidArgument, file + " holds no PEM certificate");
  return certificates;
}

}  // namespace

Result<std::string> announced_ca(const Flags& flags, const std::string& external_url) {
  if (!external_url.starts_with("https") || flags.external_ca == "system") return std::string();
  if (!flags.external_ca.empty()) return ca_of_file(flags.external_ca);
  if (!flags.tls_cert_file.empty()) return std::string();
  return read_file(fs::path(flags.data_dir) / "tls/ca.pem");
}

Result<io::TlsServerOptions> server_identity(const Flags& flags, const std::string& host) {
  Result<io::TlsIdentity> identity =
      flags.tls_cert_file.empty()
          ? own_identity(fs::path(flags.data_dir) / "tls", host)
          : load(flags.tls_cert_file, flags.tls_key_file, "--tls-cert-file: ", "--tls-key-file: ");
  if (!identity) return fail(std::move(identity.error()));
  return io::TlsServerOptions{.identity = std::move(*identity)};
}

}  // namespace towline::kas
