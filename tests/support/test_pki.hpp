// A certificate authority in a temporary directory, for tests of TLS.
#pragma once

#include <cstdio>
#include <memory>
#include <stdexcept>
#include <string>

#include <gtest/gtest.h>
#include <openssl/ec.h>
#include <openssl/ocsp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <sluice/config/config.hpp>

#include "temporary_directory.hpp"

namespace sluice::test {

class TestPki {
 public:
  struct Leaf {
    std::string alternative_names;  // "DNS:localhost,IP:127.0.0.1"
    long valid_from_s = -3'600;     // relative to now
    long valid_until_s = 3'600;
  };

  TestPki() : ca_key_(EVP_EC_gen("P-256")) {
    ca_ = make("CN of the CA", ca_key_.get(), {.alternative_names = ""});
    add_extension(*ca_, NID_basic_constraints, "critical,CA:TRUE");
    X509_sign(ca_.get(), ca_key_.get(), EVP_sha256());
    write(ca_file(), *ca_, nullptr);
  }

  [[nodiscard]] std::string ca_file() const { return directory_ / "ca.pem"; }

  // Writes a certificate and its key; the name is that of the files.
  [[nodiscard]] config::ServerTls issue(const std::string& name, const Leaf& leaf) const {
    const Key key(EVP_EC_gen("P-256"));
    const Certificate certificate = make(name, key.get(), leaf);
    add_extension(*certificate, NID_subject_alt_name, leaf.alternative_names);
    X509_sign(certificate.get(), ca_key_.get(), EVP_sha256());
    const config::ServerTls files{.cert_file = directory_ / (name + ".pem"),
                                  .key_file = directory_ / (name + ".key"),
                                  .client_ca_file = ""};
    write(files.cert_file, *certificate, nullptr);
    write(files.key_file, *certificate, key.get());
    return files;
  }

  // Writes, beside the certificate, an OCSP response that says it is good, until then; its path.
  [[nodiscard]] std::string vouch(const config::ServerTls& files,
                                  long valid_until_s = 3'600) const {
    const File in(std::fopen(files.cert_file.c_str(), "r"), std::fclose);
    const Certificate certificate(PEM_read_X509(in.get(), nullptr, nullptr, nullptr));
    const std::unique_ptr<OCSP_BASICRESP, Free> basic(OCSP_BASICRESP_new());
    const std::unique_ptr<OCSP_CERTID, Free> id(
        OCSP_cert_to_id(EVP_sha256(), certificate.get(), ca_.get()));
    const std::unique_ptr<ASN1_TIME, Free> this_update(X509_gmtime_adj(nullptr, -7'200));
    const std::unique_ptr<ASN1_TIME, Free> next_update(X509_gmtime_adj(nullptr, valid_until_s));
    OCSP_basic_add1_status(basic.get(), id.get(), V_OCSP_CERTSTATUS_GOOD, 0, nullptr,
                           this_update.get(), next_update.get());
    OCSP_basic_sign(basic.get(), ca_.get(), ca_key_.get(), EVP_sha256(), nullptr, 0);
    const std::unique_ptr<OCSP_RESPONSE, Free> response(
        OCSP_response_create(OCSP_RESPONSE_STATUS_SUCCESSFUL, basic.get()));
    std::string path = files.cert_file + ".ocsp";
    const File out(std::fopen(path.c_str(), "w"), std::fclose);
    unsigned char* der = nullptr;
    const int size = i2d_OCSP_RESPONSE(response.get(), &der);
    std::fwrite(der, 1, static_cast<std::size_t>(size), out.get());
    OPENSSL_free(der);
    return path;
  }

 private:
  using File = std::unique_ptr<std::FILE, int (*)(std::FILE*)>;
  struct Free {
    void operator()(OCSP_BASICRESP* response) const { OCSP_BASICRESP_free(response); }
    void operator()(OCSP_RESPONSE* response) const { OCSP_RESPONSE_free(response); }
    void operator()(OCSP_CERTID* id) const { OCSP_CERTID_free(id); }
    void operator()(ASN1_TIME* time) const { ASN1_TIME_free(time); }
    void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
    void operator()(X509* certificate) const { X509_free(certificate); }
  };
  using Key = std::unique_ptr<EVP_PKEY, Free>;
  using Certificate = std::unique_ptr<X509, Free>;

  static Certificate make(const std::string& subject, EVP_PKEY* key, const Leaf& leaf) {
    static long serial = 1;
    Certificate certificate(X509_new());
    X509_set_version(certificate.get(), X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), serial++);
    X509_gmtime_adj(X509_getm_notBefore(certificate.get()), leaf.valid_from_s);
    X509_gmtime_adj(X509_getm_notAfter(certificate.get()), leaf.valid_until_s);
    set_name(X509_get_subject_name(certificate.get()), subject);
    set_name(X509_get_issuer_name(certificate.get()), "CN of the CA");
    X509_set_pubkey(certificate.get(), key);
    return certificate;
  }

  static void set_name(X509_NAME* name, const std::string& text) {
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>(text.c_str()), -1, -1, 0);
  }

  static void add_extension(X509& certificate, int nid, const std::string& value) {
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, nullptr, nid, value.c_str());
    if (extension == nullptr) {
      throw std::runtime_error("bad extension: " + value);
    }
    X509_add_ext(&certificate, extension, -1);
    X509_EXTENSION_free(extension);
  }

  // Writes the key when there is one, else the certificate.
  static void write(const std::string& path, X509& certificate, EVP_PKEY* key) {
    const File file(std::fopen(path.c_str(), "w"), std::fclose);
    if (key == nullptr) {
      PEM_write_X509(file.get(), &certificate);
    } else {
      PEM_write_PrivateKey(file.get(), key, nullptr, nullptr, 0, nullptr, nullptr);
    }
  }

  TemporaryDirectory directory_;
  Key ca_key_;
  Certificate ca_;
};

}  // namespace sluice::test
