# Calls the outputs of a flake.nix without the flake machinery: nothing is copied, fetched or locked,
# so that a plain evaluator with no store can do it. The result is like the flake itself.
#
#   dir      folder of the flake
#   inputs   flakes that were called already, or { outPath = folder; }, by the name of the input;
#            those that the flake does not have are left out
#   rev      the commit that it believes to be
{
  dir,
  inputs,
  rev ? "0000000000000000000000000000000000000000",
}:

let
  flake = import (dir + "/flake.nix");
  wanted = (flake.inputs or { }) // builtins.functionArgs flake.outputs;
  given = builtins.intersectAttrs wanted inputs;

  # What the machinery would tell of a clean tree.
  source = {
    outPath = dir;
    lastModified = 0;
    lastModifiedDate = "19700101000000";
    narHash = "";
    inherit rev;
    shortRev = builtins.substring 0 7 rev;
  };

  outputs = flake.outputs (given // { inherit self; });
  self =
    outputs
    // source
    // {
      _type = "flake";
      inherit outputs;
      inputs = given;
      sourceInfo = source;
    };
in
self
