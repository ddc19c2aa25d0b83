#include "model/blocks.h"

namespace tru::model {

Linear Linear::load(weights::Loader& loader, const std::string& name, std::int64_t out,
                    std::int64_t in, bool with_bias) {
  Linear linear;
  linear.weight = loader.linear(name + ".weight", {out, in});
  if (with_bias) linear.bias = loader.vector(name + ".bias", out);
  return linear;
}

ggml_tensor* Linear::operator()(tensor::Graph& graph, const tensor::Rows& x,
                                ggml_tensor* addend) const {
  return tensor::linear(graph, weight, bias, x, addend);
}

ggml_tensor* Linear::operator()(tensor::Graph& graph, ggml_tensor* x, ggml_tensor* addend) const {
  return tensor::linear(graph, weight, bias, {graph, x}, addend);
}

LayerNorm LayerNorm::load(weights::Loader& loader, const std::string& name, std::int64_t size) {
  return {loader.vector(name + ".weight", size), loader.vector(name + ".bias", size)};
}

tensor::Rows LayerNorm::operator()(tensor::Graph& graph, ggml_tensor* x, float epsilon) const {
  return tensor::Rows::layer_norm(graph, x, weight, bias, epsilon);
}

RmsNorm RmsNorm::load(weights::Loader& loader, const std::string& name, std::int64_t size) {
  return {loader.vector(name + ".weight", size)};
}

tensor::Rows RmsNorm::operator()(tensor::Graph& graph, ggml_tensor* x, float epsilon) const {
  return tensor::Rows::rms_norm(graph, x, weight, epsilon);
}

}  // namespace tru::model
