// Applies single Adagrad steps that come on stdin: the side of the comparison with PyTorch that
// runs our kernels. See adagrad_torch_test.py.
//
//   input  := dim:u32 case*
//   case   := lr:f64 lr_decay:f64 weight_decay:f64 eps:f64 step:u64 w:f32[dim] state:f32[dim]
//   g:f32[dim] output := for each case, for each kernel: w:f32[dim] state:f32[dim]
//
// The names of the kernels go to stderr, in order.
#include <cstdio>
#include <cstring>
#include <vector>

#include "ps/optimizer/adagrad.h"

namespace rowhouse {
namespace {

struct CaseHeader {
  double lr, lr_decay, weight_decay, eps;
  uint64_t step;
};

template <typename T>
bool Read(T* items, size_t count) {
  return std::fread(items, sizeof(T), count, stdin) == count;
}

void Step(const CaseHeader& header, AdagradKernel kernel, uint32_t dim,
          const std::vector<float>& values) {
  const RowLayout layout(dim, dim);
  std::vector<uint64_t> row(layout.stride_bytes() / 8);
  auto* bytes = reinterpret_cast<std::byte*>(row.data());
  std::memcpy(RowLayout::Weights(bytes), values.data(), layout.value_bytes());
  const Adagrad adagrad{header.lr, header.lr_decay, header.weight_decay, 0, header.eps};
  const float rate = EffectiveLearningRate(adagrad, rowhouse::Step(header.step));
  kernel(MakeAdagradStep(adagrad, rate), layout, {&bytes, 1}, values.data() + 2 * dim);
  std::fwrite(RowLayout::Weights(bytes), 1, layout.value_bytes(), stdout);
}

int Main() {
  const auto kernels = SupportedAdagradKernels();
  for (const auto& [name, kernel] : kernels) {
    std::fprintf(stderr, "%.*s\n", static_cast<int>(name.size()), name.data());
  }
  uint32_t dim = 0;
  if (!Read(&dim, 1)) return 1;
  std::vector<float> values(size_t{3} * dim);
  CaseHeader header;
  while (Read(&header, 1) && Read(values.data(), values.size())) {
    for (const auto& [name, kernel] : kernels) Step(header, kernel, dim, values);
  }
  return 0;
}

}  // namespace
}  // namespace rowhouse

int main() { return rowhouse::Main(); }
