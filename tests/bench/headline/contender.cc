#include "tests/bench/headline/contender.h"

#include <glog/logging.h>

#include <algorithm>
#include <iostream>

#include "common/status_macros.h"

namespace rowhouse {

absl::Status Contest::Run(uint32_t rounds, const std::string& what) {
  rates_.resize(contenders_.size());
  for (uint32_t round = 0; round < rounds; ++round) {
    for (size_t i = 0; i < contenders_.size(); ++i) {
      const size_t at = round % 2 == 0 ? i : contenders_.size() - 1 - i;
      const Contender& contender = contenders_[at];
      std::cerr << "\r" << what << ": round " << round + 1 << " of " << rounds << ", "
                << contender.name << "                    " << std::flush;
      if (contender.settle) RETURN_IF_ERROR(contender.settle());
      if (contender.warm) RETURN_IF_ERROR(contender.warm());
      ASSIGN_OR_RETURN(const double rate, contender.round());
      rates_[at].push_back(rate);
    }
  }
  return absl::OkStatus();
}

const std::vector<double>& Contest::rates(const std::string& name) const {
  for (size_t i = 0; i < contenders_.size(); ++i) {
    if (contenders_[i].name == name) return rates_[i];
  }
  LOG(FATAL) << "no contender " << name;
}

std::vector<double> Contest::Ratio(const std::string& name, const std::string& other) const {
  std::vector<double> ratios = rates(name);
  const std::vector<double>& below = rates(other);
  for (size_t i = 0; i < ratios.size(); ++i) ratios[i] /= below[i];
  return ratios;
}

std::string Contest::Faster(const std::string& a, const std::string& b) const {
  return Figure{"", rates(a)}.median() >= Figure{"", rates(b)}.median() ? a : b;
}

void Contest::AppendRates(std::vector<Rate>* rates) const {
  for (size_t i = 0; i < contenders_.size(); ++i) {
    Rate rate{contenders_[i].name, rates_[i]};
    for (double& value : rate.rounds) value /= 1e6;
    rates->push_back(std::move(rate));
  }
}

}  // namespace rowhouse
