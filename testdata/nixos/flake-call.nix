# Calls the outputs of a flake.nix without the flake machinery: nothing is copied, fetched or locked,
# so that a plain evaluator with no store can do it. The result is like the flake itself.
#
#   dir      folder of the flake
#   inputs   its inputs, by name: flakes that were called already, or { outPath = folder; }
{ dir, inputs }:

let
  flake = import (dir + "/flake.nix");
  wanted = builtins.functionArgs flake.outputs;
  given = builtins.intersectAttrs wanted inputs;

  # What the machinery would tell of a clean tree, the same for every commit.
  source = {
    outPath = dir;
    lastModified = 0;
    lastModifiedDate = "19700101000000";
    narHash = "";
    rev = "0000000000000000000000000000000000000000";
    shortRev = "0000000";
  };

  outputs = flake.outputs (given // { inherit self; });
  self =
    outputs
    // source
    // {
      _type = "flake";
      inherit inputs outputs;
      sourceInfo = source;
    };
in
self
