// The one place where Asio and Beast are compiled; every other file sees their declarations only.
#include <boost/asio/impl/src.hpp>
#include <boost/asio/ssl/impl/src.hpp>
// Beast's HTTP parser asserts that at least five bytes are there when a chunked message ends, which
// a peer can make false by how it cuts them (basic_parser.ipp, `n >= 5`). Without that assertion it
// asks for more, as it should: nothing that comes from the network may end the process.
#define BOOST_DISABLE_ASSERTS
#include <boost/assert.hpp>
#include <boost/beast/src.hpp>
