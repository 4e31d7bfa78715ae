#include "ocsp.hpp"

#include <memory>
#include <utility>

#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <openssl/ssl.h>

#include <sluice/base/log.hpp>

namespace sluice::net {
namespace {

struct FreeOcsp {
  void operator()(BIO* file) const { BIO_free(file); }
  void operator()(OCSP_RESPONSE* response) const { OCSP_RESPONSE_free(response); }
  void operator()(OCSP_BASICRESP* response) const { OCSP_BASICRESP_free(response); }
  void operator()(unsigned char* bytes) const { OPENSSL_free(bytes); }
};

// What is sent, and until when. Immutable: all threads read it.
struct Staple {
  std::unique_ptr<unsigned char, FreeOcsp> der;
  int der_bytes = 0;
  std::unique_ptr<OCSP_BASICRESP, FreeOcsp> basic;
  const ASN1_GENERALIZEDTIME* next_update = nullptr;  // in `basic`; nullptr: it says none
};

void free_staple(void*, void* staple, CRYPTO_EX_DATA*, int, long, void*) {
  delete static_cast<Staple*>(staple);
}

// Where a context keeps its staple, and frees it.
int staple_index() {
  static const int index = SSL_CTX_get_ex_new_index(0, nullptr, nullptr, nullptr, free_staple);
  return index;
}

// Called in the handshake with a client that asks. The connection keeps its context.
int send_staple(SSL* connection, void* argument) {
  const Staple& staple = *static_cast<const Staple*>(argument);
  // A client may take a response that is out of date for a reason to go.
  if (staple.next_update != nullptr && X509_cmp_current_time(staple.next_update) < 0) {
    return SSL_TLSEXT_ERR_NOACK;
  }
  void* const copy = OPENSSL_memdup(staple.der.get(), static_cast<std::size_t>(staple.der_bytes));
  if (copy == nullptr) {
    return SSL_TLSEXT_ERR_NOACK;
  }
  SSL_set_tlsext_status_ocsp_resp(connection, copy, staple.der_bytes);  // owns it from now on
  return SSL_TLSEXT_ERR_OK;
}

// What the response says of this certificate; nullptr: nothing.
OCSP_SINGLERESP* find_status(OCSP_BASICRESP* basic, const X509* certificate) {
  for (int i = 0; i < OCSP_resp_count(basic); ++i) {
    OCSP_SINGLERESP* const single = OCSP_resp_get0(basic, i);
    ASN1_INTEGER* serial = nullptr;
    OCSP_id_get0_info(nullptr, nullptr, nullptr, &serial,
                      const_cast<OCSP_CERTID*>(OCSP_SINGLERESP_get0_id(single)));
    if (ASN1_INTEGER_cmp(serial, X509_get0_serialNumber(certificate)) == 0) {
      return single;
    }
  }
  return nullptr;
}

std::unique_ptr<OCSP_RESPONSE, FreeOcsp> read_response(const std::string& file) {
  const std::unique_ptr<BIO, FreeOcsp> bytes(BIO_new_file(file.c_str(), "rb"));
  std::unique_ptr<OCSP_RESPONSE, FreeOcsp> response(
      bytes == nullptr ? nullptr : d2i_OCSP_RESPONSE_bio(bytes.get(), nullptr));
  ERR_clear_error();  // the outcome says enough, and the next call must not find them
  return response;
}

}  // namespace

Result<void> staple_ocsp_response(SSL_CTX* context, const std::string& file) {
  const auto response = read_response(file);
  auto staple = std::make_unique<Staple>();
  if (response != nullptr &&
      OCSP_response_status(response.get()) == OCSP_RESPONSE_STATUS_SUCCESSFUL) {
    staple->basic.reset(OCSP_response_get1_basic(response.get()));
  }
  if (staple->basic == nullptr) {
    return failure(std::errc::invalid_argument,
                   "the file " + file +
                       " cannot be read or holds no OCSP response: name a file with a successful "
                       "one in DER");
  }
  OCSP_SINGLERESP* const status =
      find_status(staple->basic.get(), SSL_CTX_get0_certificate(context));
  if (status == nullptr) {
    // As between the renewal of the certificate and the next response, which must not hold it up.
    SLUICE_LOG(warn, "the OCSP response is another certificate's, and is not sent", {"file", file});
    return {};
  }
  ASN1_GENERALIZEDTIME* next_update = nullptr;
  OCSP_single_get0_status(status, nullptr, nullptr, nullptr, &next_update);
  staple->next_update = next_update;
  unsigned char* der = nullptr;
  staple->der_bytes = i2d_OCSP_RESPONSE(response.get(), &der);
  staple->der.reset(der);
  if (staple->der_bytes <= 0 || SSL_CTX_set_ex_data(context, staple_index(), staple.get()) != 1) {
    return failure(std::errc::not_enough_memory, "no memory for the OCSP response in " + file);
  }
  SSL_CTX_set_tlsext_status_cb(context, send_staple);
  SSL_CTX_set_tlsext_status_arg(context, staple.release());  // the context owns it
  return {};
}

}  // namespace sluice::net
