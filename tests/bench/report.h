// What was measured, as a table for people and as JSON.
#pragma once

#include <boost/json/object.hpp>
#include <cstdint>
#include <string>
#include <vector>

#include "tests/bench/machine.h"

namespace rowhouse {

struct Round {
  double rows_per_second = 0;
  double requests_per_second = 0;
  double server_cpu_seconds = 0;  // for each million rows
  double other_load = 0;          // processors that others kept busy meanwhile
};

// One kind of request, `in_flight` at a time, here and through plain Asio.
struct Series {
  std::string name;
  uint32_t in_flight = 0;
  std::vector<Round> rowhouse;
  std::vector<Round> plain;
};

struct Report {
  MachineFacts machine;
  boost::json::object settings;
  std::vector<Series> series;
  std::string result_hash;  // of all rows after the first push to each
};

std::string ToText(const Report& report);
boost::json::object ToJson(const Report& report);

}  // namespace rowhouse
