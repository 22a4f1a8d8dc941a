# Raspberry Pi Zero 2 W, with the kernel of nixpkgs. Its half a gigabyte is enough for a small stack.
{ lib, ... }:

{
  imports = [ ../hardware/raspberry-pi.nix ];

  zramSwap.memoryPercent = lib.mkDefault 100;
}
