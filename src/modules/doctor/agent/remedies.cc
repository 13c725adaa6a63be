#include "modules/doctor/agent/remedies.h"

#include <initializer_list>
#include <string_view>
#include <utility>

namespace towline::doctor {
namespace {

struct Remedy {
  std::string_view symptom;  // part of the error's message
  std::string_view text;
};

// The text for the first symptom that the message has.
std::string pick(const Status& why, std::initializer_list<Remedy> remedies, std::string_view otherwise) {
  for (const Remedy& each : remedies) {
    if (why.message().find(each.symptom) != std::string::npos) return std::string(each.text);
  }
  return std::string(otherwise);
}

constexpr std::string_view kProxyVariables =
    "HTTPS_PROXY (for wss and grpcs) or HTTP_PROXY names the proxy, NO_PROXY excepts servers from it; in the "
    "chart: extraEnv";

}  // namespace

std::string remedy_for_dns(const Url& address) {
  return "check the name " + address.host +
         " in --kas-address (config.kasAddress); if it is right, look at the DNS that this machine or pod "
         "uses; behind a proxy set HTTPS_PROXY (extraEnv), then the proxy resolves the name";
}

std::string remedy_for_proxy() {
  return "is the proxy running, and may this machine or pod reach it? " + std::string(kProxyVariables);
}

std::string remedy_for_connection(const Status& why, const Url& address, bool proxied) {
  const std::string port = std::to_string(address.port);
  if (proxied) {
    return pick(
        why,
        {{"407",
          "put the proxy's user and password into its address: http://user:password@host:port "
          "in HTTPS_PROXY (extraEnv)"}},
        "the proxy must allow CONNECT to " + address.host + ":" + port + "; " + std::string(kProxyVariables));
  }
  if (why.message().find("refused") != std::string::npos) {
    return "nothing listens on port " + port + " of " + address.host +
           ": check the port in --kas-address (config.kasAddress) and that the server runs";
  }
  return "a firewall or a network policy may drop the packets: allow outgoing connections to " +
         address.host + ":" + port + ", or set HTTPS_PROXY (extraEnv) where only a proxy leads out";
}

std::string remedy_for_tls(const Status& why, const Url& address) {
  const std::string plain = address.scheme == "wss" ? "ws" : "grpc";
  if (why.message().find("does not speak TLS") != std::string::npos) {
    return "give the port that has TLS, or " + plain +
           ":// in --kas-address (config.kasAddress) where a server without it is meant";
  }
  if (why.message().find("the certificate is for") != std::string::npos) {
    return "use one of these names in --kas-address (config.kasAddress), or give the server a certificate "
           "for " +
           address.host +
           " (kas: --external-url), or name the expected one by --kas-tls-server-name (extraArgs)";
  }
  return pick(
      why,
      {{"CA is not trusted",
        "give the PEM file of the CA that signed the server's certificate: --kas-ca-cert-file, in the chart "
        "--set-file config.kasCaCert=ca.pem (kas keeps its own at tls/ca.pem in the data folder)"},
       {"was valid until",
        "renew the server's certificate; if it is new, the clock of this machine is wrong"},
       {"is valid from", "set the clock of this machine, or that of the one that made the certificate"},
       {"TLS 1.2 or later", "the server, or a proxy before it, must speak TLS 1.2 or 1.3"},
       {"client certificate",
        "something before the server asks for a client certificate, which agents have not"}},
      "look at what answers on that port: openssl s_client -connect host:port");
}

std::string remedy_for_websocket(const Status& why, const Url& address) {
  const std::string& path = address.path;
  if (why.message().find("redirects are not followed") != std::string::npos) {
    return "set --kas-address (config.kasAddress) to the address that the server redirects to, with ws(s):// "
           "for http(s)://" +
           std::string(path.ends_with('/') ? "" : "; most likely only the slash at its end is missing");
  }
  if (why.message().find(" 404 ") != std::string::npos) {
    return path.ends_with('/')
               ? "check the path in --kas-address (config.kasAddress): it is /-/kubernetes-agent/ for kas"
               : "end --kas-address (config.kasAddress) with a slash: " + address.scheme + "://" +
                     address.authority() + path + "/";
  }
  return pick(why,
              {{" 502 ", "the reverse proxy does not reach the server behind it: look at its log"},
               {" 503 ", "the server or the reverse proxy before it is not ready: look at its log"},
               {" 504 ", "the server behind the reverse proxy does not answer: look at its log"},
               {" 401 ",
                "something before the server asks for credentials: give them by --kas-header "
                "(config.kasHeaders), or let this path pass"},
               {" 403 ", "something before the server forbids this: let the path of --kas-address pass"},
               {" 200 ", "the path leads to a web page: it is /-/kubernetes-agent/ for kas"},
               {" 400 ", "the reverse proxy must pass on Upgrade and Connection (HTTP/1.1)"},
               {" 426 ", "the reverse proxy must pass on Upgrade and Connection (HTTP/1.1)"}},
              "check that the address leads to kas and that reverse proxies on the way pass WebSockets");
}

std::string remedy_for_token(const Status& why) {
  switch (why.code()) {
    case Code::kUnauthenticated:
    case Code::kPermissionDenied:
      return "make a new token for the agent (its page, or towline cluster agent tokens create) and give it "
             "by "
             "--token-file, in the chart config.token or the key token of the Secret config.secretName";
    case Code::kResourceExhausted:
      return "the token is used by too many connections: look for other agents that have it";
    case Code::kUnimplemented:
      return "the address leads to a gRPC server that is not kas";
    default:
      return "check that the address leads to kas: for grpc(s):// every proxy on the way must pass HTTP/2, "
             "ws(s):// needs less; the server's log may say more";
  }
}

std::string remedy_for_kubernetes(const Status& why) {
  switch (why.code()) {
    case Code::kInvalidArgument:
    case Code::kNotFound:
      return "outside a cluster name a kubeconfig by --kubeconfig; in a pod the service account's token must "
             "be "
             "mounted";
    case Code::kUnauthenticated:
      return "the API does not accept the agent's credentials: does its service account still exist?";
    case Code::kUnimplemented:
      return "take the field out of the kubeconfig, or name another kubeconfig by --kubeconfig";
    default:
      return "may this machine or pod reach the API server? Look at network policies and, in a pod, at "
             "KUBERNETES_SERVICE_HOST and at kube-proxy";
  }
}

}  // namespace towline::doctor
