# The flake of a fleet, with a nixpkgs tree of the caller's choice.
#
#   pistack   the checkout that is the input of that name, for fleets that have one
#   rev       the commit that the fleet believes to be
{
  fleet,
  nixpkgs,
  nixosHardware,
  pistack ? ../..,
  rev ? "0000000000000000000000000000000000000000",
}:

let
  call = import ./flake-call.nix;

  inputs = {
    nixpkgs = call {
      dir = nixpkgs;
      inputs = { };
    };
    nixos-hardware.outPath = nixosHardware;
  };
in
call {
  dir = fleet;
  inherit rev;
  inputs = inputs // {
    pistack = call {
      dir = pistack;
      inherit inputs;
    };
  };
}
