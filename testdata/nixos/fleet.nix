# The flake of a fleet, with a nixpkgs tree of the caller's choice.
{
  fleet,
  nixpkgs,
  nixosHardware,
}:

let
  call = import ./flake-call.nix;
in
call {
  dir = fleet;
  inputs = {
    nixpkgs = call {
      dir = nixpkgs;
      inputs = { };
    };
    nixos-hardware.outPath = nixosHardware;
  };
}
